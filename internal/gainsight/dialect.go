package gainsight

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hubspotconnector/internal/record"
)

// Dialect is how an organisation speaks where Gainsight's documents contradict
// each other or say nothing (state of November 2026). The zero Dialect is the
// likeliest one. It is found by asking the organisation, see package doctor.
type Dialect struct {
	// TokenBody is the body of the call for an M2M OAuth token; "" = a form, and
	// JSON if that is refused.
	TokenBody TokenBody `json:"tokenBody,omitempty"`
	// DescribeByPost asks for fields by the call for several objects, where the
	// call for one is not served.
	DescribeByPost bool `json:"describeByPost,omitempty"`
	// Names :: object in lower case → its name in the paths of rows. An object
	// that is missing here is sent as it is configured.
	Names map[string]string `json:"names,omitempty"`
	// PageRows is the most rows of one read; 0 = 5,000.
	PageRows int `json:"pageRows,omitempty"`
	// InValues is the most values of one IN; 0 = 50.
	InValues int `json:"inValues,omitempty"`
	// Exact says that comparisons tell upper case from lower case.
	Exact bool `json:"exact,omitempty"`
	// DateTime and Date are the forms in which such fields are written; "" =
	// 2026-11-30T15:04:05.000+0000 and 2026-11-30.
	DateTime TimeForm `json:"dateTime,omitempty"`
	Date     TimeForm `json:"date,omitempty"`
	// ItemsAsList writes the items of a multi-select list as an array instead of
	// joined with ";".
	ItemsAsList bool `json:"itemsAsList,omitempty"`
}

// TokenBody is a body of the call for an M2M OAuth token.
type TokenBody string

// What a TokenBody can be.
const (
	TokenForm  TokenBody = "form"  // grant_type=client_credentials
	TokenJSON  TokenBody = "json"  // {}
	TokenEmpty TokenBody = "empty" // nothing, of type JSON
)

// TimeForm is a form in which times are written.
type TimeForm string

// What a TimeForm can be.
const (
	TimeColon TimeForm = "colon" // 2026-11-30T15:04:05.000+00:00
	TimeEpoch TimeForm = "epoch" // milliseconds
)

// written is the form in which rows hold a DATETIME before they are sent.
const written = "2006-01-02T15:04:05.000-0700"

// dialect returns the organisation's dialect.
func (c *Client) dialect(ctx context.Context) (Dialect, error) {
	if c.Dialect == nil {
		return Dialect{}, nil
	}
	d, err := c.Dialect(ctx)
	if err != nil {
		return Dialect{}, fmt.Errorf("read Gainsight's dialect: %w", err)
	}
	return d, nil
}

// name is an object's name in the paths of rows.
func (d Dialect) name(object string) string {
	if name := d.Names[strings.ToLower(object)]; name != "" {
		return name
	}
	return object
}

func (d Dialect) pageRows() int {
	if d.PageRows > 0 {
		return min(d.PageRows, pageRows)
	}
	return pageRows
}

func (d Dialect) inValues() int {
	if d.InValues > 0 {
		return min(d.InValues, chunkValues)
	}
	return chunkValues
}

// writesOtherwise reports whether some values are not written as rows hold them.
func (d Dialect) writesOtherwise() bool {
	return d.DateTime != "" || d.Date != "" || d.ItemsAsList
}

// spell returns rows of object with their values in the organisation's forms. The
// first time it costs the call that describes the object.
func (c *Client) spell(ctx context.Context, object string, rows []map[string]any) ([]map[string]any, error) {
	d, err := c.dialect(ctx)
	if err != nil || !d.writesOtherwise() || len(rows) == 0 {
		return rows, err
	}
	types, err := c.types(ctx, object)
	if err != nil {
		return nil, err
	}
	spelled := make([]map[string]any, len(rows))
	for i, row := range rows {
		spelled[i] = make(map[string]any, len(row))
		for name, v := range row {
			spelled[i][name] = d.value(types[name], v)
		}
	}
	return spelled, nil
}

// types returns :: field → type, of an object that is described once.
func (c *Client) types(ctx context.Context, object string) (map[string]record.Type, error) {
	if known, ok := c.described.Load(object); ok {
		return known.(map[string]record.Type), nil //nolint:forcetypeassert // nothing else is stored
	}
	schema, err := c.Schema(ctx, object)
	if err != nil {
		return nil, err
	}
	types := make(map[string]record.Type, len(schema.Fields))
	for _, f := range schema.Fields {
		types[f.Name] = f.Type
	}
	c.described.Store(object, types)
	return types, nil
}

// value returns a value of a row as it is written; one in a form that no row
// should hold is left for Gainsight to refuse.
func (d Dialect) value(t record.Type, v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	switch t { //nolint:exhaustive // all other types are written as they are
	case record.DateTime:
		return respell(text, written, d.DateTime)
	case record.Date:
		return respell(text, time.DateOnly, d.Date)
	case record.Multi:
		if d.ItemsAsList && text != "" {
			return strings.Split(text, ";")
		}
	}
	return v
}

func respell(text, layout string, form TimeForm) any {
	at, err := time.Parse(layout, text)
	if err != nil {
		return text
	}
	switch form {
	case TimeColon:
		return at.Format("2006-01-02T15:04:05.000-07:00")
	case TimeEpoch:
		return at.UnixMilli()
	}
	return text
}
