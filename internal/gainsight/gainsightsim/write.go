package gainsightsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// maxRecords is the most records of a write.
const maxRecords = 50

type writeBody struct {
	Records []map[string]any      `json:"records"`
	Lookups map[string]lookupSpec `json:"lookups"`
}

// records reads the body of a write.
func (c *call) records() (writeBody, *refusal) {
	var body writeBody
	if bad := c.read(&body); bad != nil {
		return body, bad
	}
	if n := len(body.Records); n == 0 || n > maxRecords || slices.ContainsFunc(body.Records, func(r map[string]any) bool { return r == nil }) {
		return body, malformed("records must hold 1 to %d records", maxRecords) // the code is [assumed]
	}
	return body, nil
}

// writable returns the object of a write by the data API. Persons and users have
// APIs of their own; that this one refuses them is [assumed].
func (s *Sim) writable(c *call) (*object, *refusal) {
	o, bad := s.object(c)
	if bad == nil && slices.Contains([]string{"person", "company_person", "gsuser"}, o.name) {
		bad = &refusal{code: "GSOBJ_1023", message: "Invalid API called, please refer to API documentation"}
	}
	return o, bad
}

// change is the checked form of one record: what to set, null included.
type change struct {
	cells []cell
	slots []int32 // the rows it goes to, on update
}

// check checks a record's fields but those in skip, which the caller knows.
func (s *Sim) check(o *object, record map[string]any, skip ...string) (ch change, wrong []*refusal) {
	for _, name := range slices.Sorted(maps.Keys(record)) {
		if slices.Contains(skip, name) {
			continue
		}
		f := o.byName[name]
		if f == nil || f.ReadOnly {
			wrong = append(wrong, invalidField(name, record[name])) // the code is [assumed]
			continue
		}
		v, bad := s.convert(f, record[name])
		if bad == nil && f.Required && v == textValue("") { // [assumed]
			bad = invalidNull(name)
		}
		if bad != nil {
			wrong = append(wrong, bad)
			continue
		}
		ch.cells = append(ch.cells, cell{f.num, v})
	}
	return ch, wrong
}

// missing refuses each required field that a new record lacks.
func (o *object) missing(record map[string]any) (wrong []*refusal) {
	for _, f := range o.fields {
		if f == nil || !f.Required {
			continue
		}
		if v, given := record[f.Name]; !given || v == nil && f.Nillable {
			wrong = append(wrong, invalidNull(f.Name))
		}
	}
	return wrong
}

// insertRows inserts records, all or none.
func (s *Sim) insertRows(c *call) answer {
	o, bad := s.writable(c)
	if bad != nil {
		return c.refuse(bad)
	}
	body, bad := c.records()
	if bad == nil {
		bad = s.lookUp(o, body)
	}
	if bad != nil {
		return c.refuse(bad)
	}
	changes := make([]change, len(body.Records))
	var wrong [][]*refusal
	for i, record := range body.Records {
		ch, w := s.check(o, record)
		if w = append(w, o.missing(record)...); len(w) > 0 {
			wrong = append(wrong, w)
		}
		changes[i] = ch
	}
	if len(wrong) > 0 {
		return s.rejected(c, wrong)
	}
	records := make([]map[string]any, len(changes))
	for i, ch := range changes {
		records[i] = map[string]any{"Gsid": s.add(o, ch)}
	}
	return c.written(o, records)
}

// add inserts a checked record and returns its GSID.
func (s *Sim) add(o *object, ch change) string {
	now := numberValue(float64(s.now().UnixMilli()))
	row := make(cells, 0, len(ch.cells)+3)
	row = append(row, cell{numGsid, textValue(o.prefix + s.random(18))}, cell{numCreated, now}, cell{numModified, now})
	for _, one := range ch.cells {
		row = row.set(one.num, one.v)
	}
	o.insert(row)
	return row[0].v.s
}

// apply sets a checked record's fields in a row.
func (s *Sim) apply(o *object, slot int32, ch change) {
	row := decode(o.rows[slot])
	for _, one := range ch.cells {
		row = row.set(one.num, one.v)
	}
	o.replace(slot, row.set(numModified, numberValue(float64(s.now().UnixMilli()))))
}

// updateRows updates the rows that the keys of each record match, all or none.
// Fields that a record lacks are left alone [assumed]; a key that matches
// several rows updates all of them [assumed].
func (s *Sim) updateRows(c *call) answer {
	o, bad := s.writable(c)
	if bad != nil {
		return c.refuse(bad)
	}
	keys, bad := o.keys(c.URL.Query().Get("keys"))
	if bad != nil {
		return c.refuse(bad)
	}
	body, bad := c.records()
	if bad == nil {
		bad = s.lookUp(o, body)
	}
	if bad != nil {
		return c.refuse(bad)
	}
	changes := make([]change, len(body.Records))
	var wrong [][]*refusal
	for i, record := range body.Records {
		ch, w := s.check(o, record, names(keys)...)
		if len(w) > 0 {
			wrong = append(wrong, w)
		}
		changes[i] = ch
	}
	if len(wrong) > 0 {
		return s.rejected(c, wrong)
	}
	if s.switches.ClearAbsent {
		for i, record := range body.Records {
			changes[i].cells = append(changes[i].cells, o.absent(record)...)
		}
	}
	for i, record := range body.Records {
		if changes[i].slots = o.match(keys, record, s.switches.FoldCase); len(changes[i].slots) == 0 {
			return c.refuse(noEntity())
		}
	}
	var records []map[string]any
	for i, ch := range changes {
		for _, slot := range ch.slots {
			s.apply(o, slot, ch)
			echo := maps.Clone(body.Records[i])
			echo["Gsid"] = gsidOf(o.rows[slot])
			records = append(records, echo)
		}
	}
	return c.written(o, records)
}

// absent clears each field that a record lacks and that may be null.
func (o *object) absent(record map[string]any) (clear []cell) {
	for _, f := range o.fields {
		if f == nil || f.ReadOnly || !f.Nillable {
			continue
		}
		if _, given := record[f.Name]; !given {
			clear = append(clear, cell{f.num, value{}})
		}
	}
	return clear
}

func noEntity() *refusal {
	return &refusal{code: "GSOBJ_1011", message: "No entity matches the given criteria, please re-check your request"}
}

// keys returns the fields that the parameter names. Their codes are [assumed].
func (o *object) keys(parameter string) ([]*field, *refusal) {
	parts := strings.Split(parameter, ",")
	if parameter == "" || len(parts) > 3 {
		return nil, malformed("keys must name 1 to 3 fields")
	}
	fields := make([]*field, len(parts))
	for i, name := range parts {
		f := o.byName[name]
		if f == nil {
			return nil, invalidField(name, nil)
		}
		if !slices.Contains([]string{"STRING", "GSID", "NUMBER", "EMAIL"}, f.DataType) {
			return nil, malformed("Field %s cannot be a key", name)
		}
		fields[i] = f
	}
	return fields, nil
}

func names(fields []*field) []string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.Name
	}
	return list
}

// match returns the slots of the rows that have a record's values in all of the
// fields; none if a value is missing or not one of the field's type.
func (o *object) match(fields []*field, record map[string]any, fold bool) []int32 {
	values := make([]any, len(fields))
	for i, f := range fields {
		values[i] = record[f.Name]
	}
	return o.matchValues(fields, values, fold)
}

func (o *object) matchValues(fields []*field, values []any, fold bool) []int32 {
	var slots []int32
	for i, f := range fields {
		v, bad := filterValue(f, values[i])
		switch {
		case bad != nil:
			return nil
		case i == 0:
			slots = o.find(f.num, fold, v)
		default:
			slots = slices.DeleteFunc(slots, func(slot int32) bool {
				return valueOf(o.rows[slot], f.num).compare(v, fold) != 0
			})
		}
	}
	return slots
}

// written answers a write that was kept.
func (c *call) written(o *object, records []map[string]any) answer {
	a := c.ok(map[string]any{"count": len(records), "errors": nil, "records": records})
	a.object, a.committed = o.name, len(records)
	return a
}

// rejected answers a write of which some records are wrong. The list names the
// wrong ones only [assumed], so it does not align with the records.
func (s *Sim) rejected(c *call, wrong [][]*refusal) answer {
	rows := make([]any, len(wrong))
	for i, row := range wrong {
		errors := make([]map[string]any, len(row))
		for k, r := range row {
			errors[k] = map[string]any{
				"errorMessage": r.message, "errorCode": r.code, "fieldName": r.field, "invalidValue": r.invalid,
			}
		}
		if s.switches.FlatErrors {
			rows[i] = map[string]any{"errors": errors}
		} else {
			rows[i] = []any{map[string]any{"success": false, "parsedValue": nil, "errors": errors}}
		}
	}
	first := wrong[0][0]
	return c.fail(http.StatusBadRequest, first.code, first.desc(), map[string]any{"count": 0, "errors": rows, "records": nil})
}

// deleteRow deletes one row.
func (s *Sim) deleteRow(c *call) answer {
	o, bad := s.writable(c)
	if bad != nil {
		return c.refuse(bad)
	}
	gsid := c.PathValue("gsid")
	_, slot, ok := o.row(gsid)
	if !ok {
		return c.refuse(noGsid())
	}
	o.remove(slot)
	a := c.ok(fmt.Sprintf("Record with GSID: %s successfully deleted.", gsid))
	a.object, a.committed = o.name, 1
	return a
}
