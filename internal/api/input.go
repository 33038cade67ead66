package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	jsonType = "application/json"
	// bodyTime is how long a body may take to arrive.
	bodyTime = 5 * time.Second
)

// parameter is a field of an input that stands in the address or in a header.
type parameter struct {
	name, in  string // in is path, query or header
	index     []int
	required  bool
	otherwise string // its value if it is missing; "" = none
	schema    *huma.Schema
}

// payload is the field of an input that is the body.
type payload struct {
	index  []int
	schema *huma.Schema // nil = any bytes
}

// documentInput says what an operation takes.
func (r *route) documentInput(doc *huma.Operation) {
	for _, f := range reflect.VisibleFields(r.input) {
		switch f.Name {
		case "Body":
			r.payload = &payload{f.Index, huma.SchemaFromField(r.doc.Components.Schemas, f, r.op.id+"Request")}
			doc.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{jsonType: {Schema: r.payload.schema}}}
			r.payload.schema.PrecomputeMessages()
		case "RawBody":
			r.payload = &payload{index: f.Index}
			doc.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				f.Tag.Get("contentType"): {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
			}}
		default:
			r.documentParameter(doc, f)
		}
	}
}

func (r *route) documentParameter(doc *huma.Operation, f reflect.StructField) {
	for _, in := range []string{"path", "query", "header"} {
		name, options, _ := strings.Cut(f.Tag.Get(in), ",")
		if name == "" {
			continue
		}
		p := parameter{
			name: name, in: in, index: f.Index, required: in == "path" || f.Tag.Get("required") == "true", otherwise: f.Tag.Get("default"),
			schema: huma.SchemaFromField(r.doc.Components.Schemas, f, ""),
		}
		r.params = append(r.params, p)
		said := &huma.Param{Name: name, Description: p.schema.Description, In: in, Required: p.required, Schema: p.schema}
		if in == "query" {
			explode := options == "explode"
			said.Explode = &explode
		}
		doc.Parameters = append(doc.Parameters, said)
	}
}

// check collects what is wrong with a request.
type check struct {
	registry huma.Registry
	found    huma.ValidateResult
}

// value checks a value at a place.
func (c *check) value(schema *huma.Schema, v any, place ...string) {
	huma.Validate(c.registry, schema, c.place(place), huma.ModeWriteToServer, v, &c.found)
}

// wrong adds a problem at a place.
func (c *check) wrong(message string, place ...string) { c.found.Add(c.place(place), nil, message) }

func (c *check) place(names []string) *huma.PathBuffer {
	at := huma.NewPathBuffer(nil, 0)
	for _, name := range names {
		at.Push(name)
	}
	return at
}

// refusal is the answer if something was wrong, else nil.
func (c *check) refusal(status int) *Problem {
	if len(c.found.Errors) == 0 {
		return nil
	}
	return refuse(status, c.found.Errors)
}

// read reads a request into an input, nil if all of it is right.
func (r *route) read(w http.ResponseWriter, q *http.Request, in reflect.Value) *Problem {
	c := &check{registry: r.doc.Components.Schemas}
	query := q.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.ContainsFunc(r.params, func(p parameter) bool { return p.in == "query" && p.name == name }) {
			c.wrong("unknown query parameter", "query", name)
		}
	}
	for _, p := range r.params {
		p.read(c, q, query, in.FieldByIndex(p.index))
	}
	if r.payload == nil {
		return c.refusal(http.StatusUnprocessableEntity)
	}
	text, status := readBody(w, q, r.op.body)
	switch {
	case status != 0:
		return refuse(status, nil)
	case len(text) == 0:
		c.wrong("required: the operation needs a body", "body")
		return c.refusal(http.StatusBadRequest)
	case r.payload.schema == nil:
		in.FieldByIndex(r.payload.index).SetBytes(text)
		return c.refusal(http.StatusUnprocessableEntity)
	}
	return c.refusal(r.payload.read(c, q, text, in.FieldByIndex(r.payload.index)))
}

// read reads a parameter into its field.
func (p parameter) read(c *check, q *http.Request, query url.Values, into reflect.Value) {
	var values []string
	switch p.in {
	case "path":
		values = []string{q.PathValue(p.name)}
	case "query":
		values = query[p.name]
	default:
		values = q.Header.Values(p.name)
	}
	if len(values) == 0 || values[0] == "" {
		if p.required {
			c.wrong("required "+p.in+" parameter is missing", p.in, p.name)
		}
		if p.otherwise == "" {
			return
		}
		values = []string{p.otherwise}
	}
	v, err := parse(values, into)
	if err != nil {
		c.wrong(err.Error(), p.in, p.name)
		return
	}
	c.value(p.schema, v, p.in, p.name)
}

// parse reads the texts of a parameter into its field, and returns what is checked.
func parse(values []string, into reflect.Value) (any, error) {
	text := values[0]
	switch field := into.Addr().Interface().(type) {
	case *[]string:
		*field = values
		return values, nil
	case *time.Time:
		at, err := time.Parse(time.RFC3339Nano, text)
		*field = at
		return text, err
	case *int:
		n, err := strconv.Atoi(text)
		*field = n
		return n, err
	case *bool:
		b, err := strconv.ParseBool(text)
		*field = b
		return b, err
	}
	into.SetString(text)
	return text, nil
}

// readBody returns a body of at most so many bytes, or the status of a refusal.
func readBody(w http.ResponseWriter, q *http.Request, most int) (body []byte, status int) {
	if most == 0 {
		most = maxBody
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // not where the body has arrived already
	body, err := io.ReadAll(io.LimitReader(q.Body, int64(most)+1))
	_ = control.SetReadDeadline(time.Time{}) // else the request would end then
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout
	case err != nil:
		return nil, http.StatusBadRequest
	case len(body) > most:
		return nil, http.StatusRequestEntityTooLarge
	}
	return body, 0
}

// read reads JSON into its field and returns the status of a refusal.
func (p *payload) read(c *check, q *http.Request, text []byte, into reflect.Value) int {
	kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if q.Header.Get("Content-Type") != "" && (err != nil || kind != jsonType && !strings.HasSuffix(kind, "+json")) {
		c.wrong("unexpected media type", "header", "Content-Type")
		return http.StatusUnsupportedMediaType
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		c.wrong("unexpected text: this is not JSON", "body")
		return http.StatusBadRequest
	}
	before := len(c.found.Errors)
	c.value(p.schema, v, "body")
	if len(c.found.Errors) == before {
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(into.Addr().Interface()); err != nil {
			c.wrong(err.Error(), "body")
		}
	}
	return http.StatusUnprocessableEntity
}
