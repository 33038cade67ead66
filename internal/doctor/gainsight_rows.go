package doctor

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"hubspotconnector/internal/fault"
)

// firstRows reads two companies and looks at the form of the answer.
func (o *organisation) firstRows(ctx context.Context) error {
	asked := []string{"Gsid", "Name", "CreatedDate", "ModifiedDate"}
	got, err := o.ask(ctx, o.name("company"), first(2, asked...))
	if err != nil {
		return err
	}
	rows, wrapped := got.rows()
	if !got.good() || len(rows) == 0 {
		return nil
	}
	o.rows = rows
	o.alike("G16", wrapped, "They come in data%s.", map[bool]string{true: ".records", false: " itself"}[wrapped])
	o.dates(rows)
	absent, empty := 0, 0
	for _, row := range rows {
		for _, name := range asked {
			v, there := row[name]
			switch {
			case !there:
				absent++
			case v == nil || v == "":
				empty++
			}
		}
	}
	switch {
	case absent > 0:
		o.ok("G18", "%s absent.", plural(absent, "field"))
	case empty > 0:
		o.ok("G18", "%s sent empty, none absent.", plural(empty, "field"))
	}
	o.shape(gsids(rows))
	return nil
}

func (o *organisation) name(object string) string {
	if name := o.dialect.Names[object]; name != "" {
		return name
	}
	return object
}

func (o *organisation) dates(rows []map[string]any) {
	for _, row := range rows {
		for _, name := range []string{"ModifiedDate", "CreatedDate"} {
			v := row[name]
			if v == nil || v == "" {
				continue
			}
			_, text := v.(string)
			if _, ok := moment(v); !ok {
				o.adapts("G17", "", "They are text of an unknown form.")
				return
			}
			o.alike("G17", text, "They are %s.", map[bool]string{true: "text", false: "milliseconds"}[text])
			return
		}
	}
}

func (o *organisation) shape(ids []string) {
	long, shared := true, true
	for _, id := range ids {
		long = long && len(id) == 36
		shared = shared && len(id) >= 18 && len(ids[0]) >= 18 && id[:18] == ids[0][:18]
	}
	switch {
	case !long:
		o.alike("G25", false, "Some have another length.")
	case len(ids) > 1:
		o.alike("G25", shared, "%d looked at, with %s beginning.", len(ids), map[bool]string{true: "the same", false: "another"}[shared])
	default:
		o.ok("G25", "1 looked at, with 36 characters.")
	}
}

// noRows asks for rows that do not exist.
func (o *organisation) noRows(ctx context.Context) error {
	got, err := o.ask(ctx, o.name("company"), where(first(1, "Gsid"), "IN", "doctor"))
	if err != nil {
		return err
	}
	rows, err := o.find(ctx, "company", "Gsid", "doctor")
	switch {
	case fault.Is(err, fault.Transient), fault.Is(err, fault.Throttled):
		return err
	case err != nil || len(rows) > 0:
		o.wrong("G19", "Tell Gainsight's support: the answer is none of those that its documentation shows. Runs fail instead of taking it for no rows.", "Another answer comes (%s).", got.shown())
	case got.good():
		o.ok("G19", "So it is.")
	default:
		o.adapts("G19", "", "An error says so (%s).", got.shown())
	}
	return nil
}

// find reads rows by the client, which must cope with what was found.
func (o *organisation) find(ctx context.Context, object, field string, values ...string) (rows []map[string]any, err error) {
	err = o.patient(ctx, func() error {
		rows, err = o.client.Find(ctx, object, []string{"Gsid"}, field, values)
		return err
	})
	return rows, err
}

// keyset reads the second company behind the first.
func (o *organisation) keyset(ctx context.Context) error {
	ids := gsids(o.rows)
	if len(ids) < 2 {
		return nil
	}
	got, err := o.ask(ctx, o.name("company"), where(first(1, "Gsid"), "GT", ids[0]))
	if err != nil {
		return err
	}
	behind, _ := got.rows()
	chosen, err := o.ask(ctx, o.name("company"), where(first(2, "Gsid"), "IN", ids[1]))
	if err != nil {
		return err
	}
	in, _ := chosen.rows()
	if len(behind) != 1 || behind[0]["Gsid"] != ids[1] || len(in) != 1 || in[0]["Gsid"] != ids[1] {
		o.wrong("G20", "Do not sync yet: rows would be read twice or not at all. Ask Gainsight's support why a query ordered by Gsid is not in order.", "The row behind the first is not the second (%s, %s).", got.shown(), chosen.shown())
		return nil
	}
	o.ok("G20", "The row behind the first is the second.")
	return nil
}

// inValues finds how many values an IN takes.
func (o *organisation) inValues(ctx context.Context) error {
	for _, n := range []int{50, 25, 10, 1} {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprint("doctor", i)
		}
		o.dialect.InValues = n
		_, err := o.find(ctx, "company", "Gsid", values...)
		switch {
		case fault.Is(err, fault.Transient), fault.Is(err, fault.Throttled):
			return err
		case err != nil:
			continue
		case n == 50:
			o.dialect.InValues = 0
			o.ok("G21", "It takes them.")
		default:
			o.adapts("G21", "", "It takes %s, and refuses more.", plural(n, "value"))
		}
		return nil
	}
	o.dialect.InValues = 0
	o.wrong("G21", "Do not sync yet: existing rows would not be found. Ask Gainsight's support how the operator IN is used.", "An IN is refused.")
	return nil
}

// pageRows finds the most rows of a read: by what is refused, and by what is cut
// off without a word, which would lose rows.
func (o *organisation) pageRows(ctx context.Context) error {
	seen, fewest := 0, 0
	for _, object := range []string{"company", "person"} {
		n, most, err := o.page(ctx, o.name(object))
		if err != nil {
			return err
		}
		seen = max(seen, n)
		if most > 0 && (fewest == 0 || most < fewest) {
			fewest = most
		}
	}
	if fewest > 0 || seen > o.dialect.PageRows {
		o.dialect.PageRows = fewest
	}
	switch {
	case o.dialect.PageRows > 0:
		o.adapts("G22", "", "At most %s come in one read.", plural(o.dialect.PageRows, "row"))
	case seen >= 5000:
		o.ok("G22", "5,000 rows came in one read.")
	case seen > 0:
		o.ok("G22", "All %s came in one read. Whether more would come shows only when there are more: examine again then.", plural(seen, "row"))
	}
	return nil
}

// page reads a page as large as can be. It returns how many rows came, and the
// most that come if that is less than 5,000.
func (o *organisation) page(ctx context.Context, object string) (n, most int, err error) {
	limit := 5000
	var got reply
	for {
		if got, err = o.ask(ctx, object, first(limit, "Gsid")); err != nil {
			return 0, 0, err
		}
		if got.good() || limit == 100 {
			break
		}
		limit = map[int]int{5000: 1000, 1000: 100}[limit]
	}
	rows, _ := got.rows()
	if len(rows) == 0 {
		return 0, 0, nil
	}
	if limit < 5000 {
		most = limit
	}
	if len(rows) >= limit {
		return len(rows), most, nil
	}
	behind, err := o.ask(ctx, object, where(first(1, "Gsid"), "GT", gsids(rows)[len(rows)-1]))
	if err != nil {
		return 0, 0, err
	}
	if more, _ := behind.rows(); len(more) > 0 {
		most = len(rows)
	}
	return len(rows), most, nil
}

func (o *organisation) unknownField(ctx context.Context) error {
	got, err := o.ask(ctx, o.name("company"), first(1, "Gsid", "doctor_no_such_field__gc"))
	if err != nil {
		return err
	}
	o.alike("G23", !got.good(), "It is %s (%s).", map[bool]string{true: "ignored", false: "refused"}[got.good()], got.shown())
	return nil
}

// letterCase asks for a company by its name in the other case.
func (o *organisation) letterCase(ctx context.Context) error {
	for _, row := range o.rows {
		name, _ := row["Name"].(string)
		if !strings.ContainsFunc(name, unicode.IsLetter) || swap(name) == name {
			continue
		}
		done, err := o.compareCase(ctx, name)
		if done || err != nil {
			return err
		}
	}
	return nil
}

// compareCase looks for a name in the other case; done if that shows something.
func (o *organisation) compareCase(ctx context.Context, name string) (done bool, err error) {
	same, err := o.find(ctx, "company", "Name", name)
	if err != nil || len(same) == 0 {
		return false, err
	}
	other, err := o.find(ctx, "company", "Name", swap(name))
	if err != nil {
		return false, err
	}
	o.dialect.Exact = true
	for _, row := range other {
		if row["Gsid"] == same[0]["Gsid"] {
			o.dialect.Exact = false
		}
	}
	o.alike("G24", !o.dialect.Exact, "A name in the other case is %s.", map[bool]string{true: "not found", false: "found"}[o.dialect.Exact])
	return true, nil
}
