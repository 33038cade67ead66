package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"hubspotconnector/internal/signin"
)

// route is an operation as it is served. The library documents and validates; its
// own way to register an operation would be compiled once more for each of them,
// which is a tenth of the function.
type route struct {
	*api
	op      operation
	input   reflect.Type
	params  []parameter
	payload *payload // nil = it takes no body
	status  int      // of success
	output  reflect.Type
	headers []header
	content []int // where the output has its body; nil = it has none
	// call takes a pointer to an input and returns one to an output, or nil.
	call func(ctx context.Context, in any) (any, error)
}

// header is a field of an output that becomes a header.
type header struct {
	name  string
	index []int
}

// stream writes an answer itself.
type stream struct {
	Body func(http.ResponseWriter)
}

// register adds an operation. The fields of I are its parameters, by their tags
// path, query and header, and its body: Body is JSON, RawBody any bytes. Those of
// O are the headers and the body of its success.
func register[I, O any](a *api, op operation, handle func(ctx context.Context, in *I) (*O, error)) {
	a.add(op, reflect.TypeFor[I](), reflect.TypeFor[O](), func(ctx context.Context, in any) (any, error) {
		out, err := handle(ctx, in.(*I)) //nolint:forcetypeassert // add's promise
		if err != nil || out == nil {
			return nil, err
		}
		return out, nil
	})
}

// add documents an operation and serves it.
func (a *api) add(op operation, in, out reflect.Type, call func(context.Context, any) (any, error)) {
	r := &route{api: a, op: op, input: in, output: out, call: call}
	doc := &huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag}, Summary: op.summary, Description: op.description, Responses: a.responses(op, inputOf(in)),
	}
	if op.role == signin.Admin {
		doc.Description = joined(doc.Description, "Needs the role admin.")
	}
	r.documentInput(doc)
	r.documentOutput(doc)
	a.doc.AddOperation(doc)
	a.mux.Handle(op.method+" "+Prefix+op.path, r)
}

// documentOutput says what a success is.
func (r *route) documentOutput(doc *huma.Operation) {
	if r.status = r.op.status; r.status == 0 {
		r.status = http.StatusOK
	}
	body, has := r.output.FieldByName("Body")
	if has {
		r.content = body.Index
	} else if r.op.status == 0 {
		r.status = http.StatusNoContent
	}
	status := strconv.Itoa(r.status)
	if doc.Responses[status] == nil {
		doc.Responses[status] = &huma.Response{Description: http.StatusText(r.status)}
	}
	success := doc.Responses[status]
	if has && success.Content == nil {
		hint := r.output.Name() + body.Name
		success.Content = map[string]*huma.MediaType{jsonType: {Schema: huma.SchemaFromField(r.doc.Components.Schemas, body, hint)}}
	}
	for _, f := range reflect.VisibleFields(r.output) {
		if name := f.Tag.Get("header"); name != "" {
			r.headers = append(r.headers, header{name, f.Index})
			if success.Headers == nil {
				success.Headers = map[string]*huma.Header{}
			}
			success.Headers[name] = &huma.Header{Schema: huma.SchemaFromField(r.doc.Components.Schemas, f, "")}
		}
	}
}

// ServeHTTP answers somebody who is signed in.
func (r *route) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	ctx := q.Context()
	if p, _ := signin.PersonOf(ctx); r.op.role == signin.Admin && p.Role != signin.Admin {
		write(w, problem(http.StatusForbidden, "Your role is viewer, so you can read everything and change nothing. Ask an admin for the role admin."))
		return
	}
	in := reflect.New(r.input)
	if refused := r.read(w, q, in.Elem()); refused != nil {
		write(w, refused)
		return
	}
	out, err := r.call(ctx, in.Interface())
	switch {
	case err != nil:
		write(w, r.failure(ctx, r.op.id, err))
	case out == nil:
		w.WriteHeader(r.status)
	default:
		r.answer(w, reflect.ValueOf(out).Elem())
	}
}

// answer writes a success.
func (r *route) answer(w http.ResponseWriter, out reflect.Value) {
	for _, h := range r.headers {
		if text := out.FieldByIndex(h.index).String(); text != "" {
			w.Header().Set(h.name, text)
		}
	}
	if r.content == nil {
		w.WriteHeader(r.status)
		return
	}
	switch body := out.FieldByIndex(r.content).Interface().(type) {
	case func(http.ResponseWriter):
		body(w)
	case []byte:
		w.WriteHeader(r.status)
		_, _ = w.Write(body) // a client that has gone needs no answer
	default:
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(r.status)
		encode(w, body)
	}
}

// encode writes JSON.
func encode(w http.ResponseWriter, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a client that has gone needs no answer
}
