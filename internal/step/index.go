package step

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping/lookup"
)

// Reader reads the target's rows. Its errors are Throttled, Transient or
// Invalid; an error never means that there are no rows (Guarantee 6).
type Reader interface {
	// Find returns the rows of object whose field has one of the values, with the
	// selected fields. Exact says how values are compared.
	Find(ctx context.Context, object string, sel []string, field string, values []string) ([]map[string]any, error)
	// Scan returns up to limit rows behind a GSID, in the order of GSIDs.
	Scan(ctx context.Context, object string, sel []string, afterGSID string, limit int) ([]map[string]any, error)
	// Exact reports whether Find tells upper case from lower case.
	Exact(ctx context.Context) (bool, error)
}

// Whole reports whether only all rows of an object tell which of them have one of
// the values. An index compares without case; where the target does not, asking it
// for a value with letters finds less than that.
func Whole(ctx context.Context, target Reader, values []string) (bool, error) {
	if !slices.ContainsFunc(values, hasCase) {
		return false, nil
	}
	return target.Exact(ctx)
}

func hasCase(s string) bool { return strings.ToLower(s) != strings.ToUpper(s) }

// pageRows is the most rows that one read of Gainsight returns (its read API,
// November 2026).
const pageRows = 5000

// Begun keeps an index that is not whole yet.
type Begun interface {
	// Get returns what came farthest, and the GSID up to which it holds rows, or
	// fault.NotFound.
	Get(ctx context.Context) (x *lookup.Index, upTo string, err error)
	Put(ctx context.Context, upTo string, x *lookup.Index) error
}

// Fill returns the index of all rows of an object over fields. A million rows take
// more calls than Gainsight grants in a minute, so what was read before quota or
// time ended (then it is Throttled) or a call failed is kept, and the next Fill
// goes on behind it. A nil begun keeps nothing.
func Fill(ctx context.Context, target Reader, begun Begun, object string, fields []string) (*lookup.Index, error) {
	x, upTo := lookup.NewIndex(fields), ""
	if begun != nil {
		known, at, err := begun.Get(ctx)
		switch {
		case err == nil:
			x, upTo = known, at
		case !fault.Is(err, fault.NotFound):
			return nil, err
		}
	}
	from := upTo
	for {
		rows, err := target.Scan(ctx, object, append([]string{"Gsid"}, fields...), upTo, pageRows)
		if err == nil {
			add(x, fields, rows)
			if len(rows) < pageRows {
				return x, nil
			}
			upTo = Text(rows[len(rows)-1]["Gsid"])
			if !Short(ctx) {
				continue
			}
			err = fault.New(fault.Throttled, "Reading %s goes on in the next call.", object)
		}
		if begun != nil && upTo != from && !fault.Is(err, fault.Invalid) {
			if err := begun.Put(ctx, upTo, x); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
}

// FillKeys adds the rows whose first field has one of the values, which the
// caller sorted.
func FillKeys(ctx context.Context, target Reader, x *lookup.Index, object string, fields, values []string) error {
	if len(values) == 0 {
		return nil
	}
	rows, err := target.Find(ctx, object, append([]string{"Gsid"}, fields...), fields[0], values)
	if err != nil {
		return err
	}
	add(x, fields, rows)
	return nil
}

// add adds rows to an index; a row with an empty field matches nothing.
func add(x *lookup.Index, fields []string, rows []map[string]any) {
	for _, row := range rows {
		values := make([]string, len(fields))
		for i, field := range fields {
			values[i] = Text(row[field])
		}
		if gsid := Text(row["Gsid"]); gsid != "" && !slices.ContainsFunc(values, blank) {
			x.Add(values, gsid)
		}
	}
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// Text is the text form of a field's value, "" for null.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
