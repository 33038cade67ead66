package hubspot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/record"
)

// found is one answer with records.
type found struct {
	records []record.Record
	after   string // of the next page, "" if there is none
	total   int64  // of search; -1 if the answer does not say
	// archived :: place in records → when the record was archived, in ms; 0 = it does
	// not say
	archived []int64
	failed   string // why the answer is not complete, apart from records not found
}

// read sends a request for records and decodes the answer as it streams in. Of
// what HubSpot sends unasked only the wanted properties are kept, so that a
// record is the same however it was read.
func (c *Client) read(ctx context.Context, connection string, wanted []string, r apiclient.Request) (found, error) {
	var f found
	names := make(map[string]string, len(wanted)) // :: property → itself, so that names are not copied
	for _, name := range wanted {
		names[name] = name
	}
	r.Into = func(_ int, body io.Reader) error {
		d := decoder{names: names, in: jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
		var err error
		f, err = d.answer()
		return err
	}
	err := c.do(ctx, connection, r)
	return f, err
}

// decoder reads records token by token: a page is never held as a whole, and a
// record costs a handful of allocations. Its errors name kinds, not values.
type decoder struct {
	in    *jsontext.Decoder
	names map[string]string
	// name, text, fields and ends are scratch space.
	name, text []byte
	fields     []string
	ends       []int
	archived   int64 // of the last record
}

// null marks a property without a value in decoder.ends.
const null = -1

var errShape = errors.New("the answer has another shape")

// answer reads the whole answer. One without results is broken.
func (d *decoder) answer() (found, error) {
	f := found{total: -1}
	whole := false
	err := d.object(func(name []byte) error {
		switch string(name) {
		case "results":
			whole = true
			return d.array(func() error {
				r, err := d.record()
				f.records, f.archived = append(f.records, r), append(f.archived, d.archived)
				return err
			})
		case "paging":
			return d.paging(&f.after)
		case "total":
			n, err := d.scalar()
			if err == nil {
				f.total, err = strconv.ParseInt(n, 10, 64)
			}
			return err
		case "errors":
			return d.array(func() error { return d.failure(&f.failed) })
		}
		return d.in.SkipValue()
	})
	if err != nil {
		return f, err
	}
	if _, err := d.in.ReadToken(); !errors.Is(err, io.EOF) || !whole {
		return f, errShape
	}
	return f, nil
}

func (d *decoder) paging(after *string) error {
	return d.object(func(name []byte) error {
		if string(name) != "next" {
			return d.in.SkipValue()
		}
		return d.object(func(name []byte) (err error) {
			if string(name) != "after" {
				return d.in.SkipValue()
			}
			*after, err = d.scalar()
			return err
		})
	})
}

// failure reads one error of a batch. Records that were not found are no failure.
func (d *decoder) failure(failed *string) error {
	category := ""
	err := d.object(func(name []byte) (err error) {
		if string(name) != "category" {
			return d.in.SkipValue()
		}
		category, err = d.scalar()
		return err
	})
	if category != notFound {
		*failed = "error " + plain(category)
	}
	return err
}

func (d *decoder) record() (record.Record, error) {
	var r record.Record
	var modified, archived string
	err := d.object(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			r.ID, err = d.scalar()
		case "properties":
			r.Values, err = d.values()
		case "updatedAt":
			modified, err = d.scalar()
		case "archivedAt":
			archived, err = d.scalar()
		case "archived":
			var s string
			s, err = d.scalar()
			r.Archived = s == "true"
		default:
			err = d.in.SkipValue()
		}
		return err
	})
	if err != nil {
		return r, err
	}
	if r.ID == "" {
		return r, errShape
	}
	if r.Values == nil {
		r.Values = map[string]*string{}
	}
	if d.archived, err = millis(archived); err != nil {
		return r, err
	}
	r.Version, err = millis(modified)
	return r, err
}

// values reads the wanted properties. All texts of a record share one string.
func (d *decoder) values() (map[string]*string, error) {
	d.text, d.fields, d.ends = d.text[:0], d.fields[:0], d.ends[:0]
	err := d.object(func(name []byte) error {
		wanted, ok := d.names[string(name)]
		if !ok {
			return d.in.SkipValue()
		}
		raw, err := d.in.ReadValue()
		if err != nil {
			return err
		}
		end := null
		if raw.Kind() != 'n' {
			if d.text, err = appendText(d.text, raw); err != nil {
				return err
			}
			end = len(d.text)
		}
		d.fields, d.ends = append(d.fields, wanted), append(d.ends, end)
		return nil
	})
	if err != nil {
		return nil, err
	}
	all, from := string(d.text), 0
	texts := make([]string, len(d.fields))
	values := make(map[string]*string, len(d.fields))
	for i, name := range d.fields {
		if d.ends[i] == null {
			values[name] = nil
			continue
		}
		texts[i] = all[from:d.ends[i]]
		values[name], from = &texts[i], d.ends[i]
	}
	return values, nil
}

// appendText appends a value's text: a string without its quotes, anything else
// as it stands.
func appendText(to []byte, raw jsontext.Value) ([]byte, error) {
	if raw.Kind() != '"' {
		return append(to, raw...), nil
	}
	return jsontext.AppendUnquote(to, raw)
}

// scalar reads a string, number or boolean as text; null is "".
func (d *decoder) scalar() (string, error) {
	raw, err := d.in.ReadValue()
	if err != nil {
		return "", err
	}
	switch raw.Kind() { //nolint:exhaustive // the others need nothing of their own
	case 'n':
		return "", nil
	case '{', '[':
		return "", errShape
	}
	b, err := appendText(nil, raw)
	return string(b), err
}

// object visits the members of an object; null has none. The name is valid until
// visit reads.
func (d *decoder) object(visit func(name []byte) error) error {
	return d.nested('{', '}', func() error {
		raw, err := d.in.ReadValue()
		if err != nil {
			return err
		}
		if d.name, err = jsontext.AppendUnquote(d.name[:0], raw); err != nil {
			return err
		}
		return visit(d.name)
	})
}

// array visits the elements of an array; null has none.
func (d *decoder) array(visit func() error) error { return d.nested('[', ']', visit) }

func (d *decoder) nested(begin, end jsontext.Kind, visit func() error) error {
	start, err := d.in.ReadToken()
	if err != nil {
		return err
	}
	switch start.Kind() { //nolint:exhaustive // the others need nothing of their own
	case begin:
	case 'n':
		return nil
	default:
		return errShape
	}
	for {
		switch d.in.PeekKind() { //nolint:exhaustive // the others need nothing of their own
		case end:
			_, err := d.in.ReadToken()
			return err
		case 0: // the answer is cut off or not JSON
			_, err := d.in.ReadToken()
			return err
		}
		if err := visit(); err != nil {
			return err
		}
	}
}

// millis reads a time as milliseconds since the epoch: ISO 8601, or such a
// number; 0 if there is none.
func millis(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("time: %w", errShape)
	}
	return at.UnixMilli(), nil
}
