package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/record"
)

// The marks of the test records.
const (
	testName  = "HubSpot connector doctor (may be deleted)"
	testEmail = "hubspot-connector-doctor@example.com"
)

// write examines the write side on one marked company and one marked person.
func (o *organisation) write(ctx context.Context) error {
	if err := o.remove(ctx); err != nil { // of an examination that was cut off
		return err
	}
	err := o.refusedBatch(ctx)
	if err == nil {
		err = o.company(ctx)
	}
	if removed := o.remove(ctx); err == nil {
		err = removed
	}
	return err
}

// send sends records to the rows of company.
func (o *organisation) send(ctx context.Context, method string, records ...map[string]any) (reply, error) {
	path := "/v1/data/objects/" + url.PathEscape(o.name("company"))
	if method == http.MethodPut {
		path += "?keys=Gsid"
	}
	return o.probe(ctx, apiclient.Request{Method: method, Path: path, JSON: map[string]any{"records": records}})
}

// remove deletes the marked companies, and tells of those it cannot delete.
func (o *organisation) remove(ctx context.Context) error {
	rows, err := o.find(ctx, "company", "Name", testName)
	if err != nil {
		return err
	}
	for _, id := range gsids(rows) {
		got, err := o.probe(ctx, apiclient.Request{
			Method: http.MethodDelete, Path: "/v1/data/objects/" + url.PathEscape(o.name("company")) + "/" + url.PathEscape(id),
		})
		if err != nil {
			return err
		}
		text := strings.HasPrefix(string(got.data), `"`)
		o.alike("G36", got.good() && text, "It answers %s%s.", got.shown(), map[bool]string{true: " and a sentence", false: ""}[text])
	}
	if len(rows) == 0 {
		return nil
	}
	if rows, err = o.find(ctx, "company", "Name", testName); err != nil {
		return err
	}
	if len(rows) > 0 {
		o.wrong("G36", "Delete the company "+testName+" in Gainsight by hand.", "The company is still there.")
		o.left = append(o.left, plural(len(rows), "company")+" named "+testName)
	}
	return nil
}

// refusedBatch sends a good record with a bad one.
func (o *organisation) refusedBatch(ctx context.Context) error {
	bad := map[string]any{"Name": testName}
	if f, ok := o.writable(record.Enumeration); ok {
		bad[f.Name] = "doctor: no such item"
	} else {
		bad["doctor_no_such_field__gc"] = "doctor"
	}
	got, err := o.send(ctx, http.MethodPost, map[string]any{"Name": testName}, bad)
	if err != nil {
		return err
	}
	rows, err := o.find(ctx, "company", "Name", testName)
	if err != nil {
		return err
	}
	switch {
	case got.good() && len(rows) == 2:
		o.unchecked("G27", "Gainsight took a record that was meant to be refused.")
	case len(rows) > 0:
		o.wrong("G27", "Do not sync yet: rows of a refused batch would be inserted twice. Tell Gainsight's support that "+plural(len(rows), "record")+" of a refused batch were stored.", "The batch is refused (%s), and %s stored.", got.shown(), plural(len(rows), "row"))
	default:
		form := nesting(got.data)
		o.alike("G27", form == "two lists deep", "The batch is refused (%s), nothing is stored, reasons stand %s.", got.shown(), form)
	}
	if len(rows) > 0 {
		return o.remove(ctx)
	}
	return nil
}

// nesting tells how deep the reasons of a refusal stand.
func nesting(data json.RawMessage) string {
	var body struct {
		Errors []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(data, &body) != nil || len(body.Errors) == 0 {
		return "in the code of the call alone"
	}
	if body.Errors[0][0] == '[' {
		return "two lists deep"
	}
	return "one list deep"
}

// writable returns a field of company that may be set and cleared, and is needed
// by nobody.
func (o *organisation) writable(t record.Type) (record.Field, bool) {
	fields := o.schemas["company"].Fields
	i := slices.IndexFunc(fields, func(f record.Field) bool {
		active := t != record.Enumeration && t != record.Multi || len(labels(f)) > 1
		return f.Type == t && !f.ReadOnly && !f.Required && !f.NotNull && active && (t != record.String || f.Length == 0 || f.Length > 10)
	})
	if i < 0 {
		return record.Field{}, false
	}
	return fields[i], true
}

// labels are the items of a list that may be chosen.
func labels(f record.Field) (all []string) {
	for _, option := range f.Options {
		if option.Active && option.Label != "" {
			all = append(all, option.Label)
		}
	}
	return all
}

// company inserts the marked company and examines updates on it.
func (o *organisation) company(ctx context.Context) error {
	row := map[string]any{"Name": testName}
	text, hasText := o.writable(record.String)
	if hasText {
		row[text.Name] = "doctor"
	}
	got, err := o.send(ctx, http.MethodPost, row)
	if err != nil {
		return err
	}
	if !got.good() {
		o.unchecked("G26", "Gainsight refused the test company ("+got.shown()+"). If company has fields that are required, only a run tells.")
		return nil
	}
	answered, _ := got.rows()
	rows, err := o.find(ctx, "company", "Name", testName)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		o.wrong("G26", "Do not sync yet: rows that were inserted would be inserted again. Tell Gainsight's support that a query does not find what an insert stored.", "After the insert, %s found.", plural(len(rows), "row"))
		return nil
	}
	id := gsids(rows)[0]
	told := len(answered) == 1 && gsids(answered)[0] == id
	o.alike("G26", told && got.status == http.StatusOK, "It answers %s %s the GSID.", got.shown(), map[bool]string{true: "with", false: "without"}[told])
	if len(o.rows) == 0 { // it is the first company
		if err := o.firstRows(ctx); err != nil {
			return err
		}
	}
	if hasText {
		err = o.unnamed(ctx, id, text.Name)
	}
	for _, step := range []func(context.Context, string) error{o.unknownRow, o.dateTimes, o.days, o.lists, o.item, o.people} {
		if err == nil {
			err = step(ctx, id)
		}
	}
	if _, known := o.found["G24"]; err == nil && !known {
		_, err = o.compareCase(ctx, testName)
	}
	return err
}

// unnamed updates the key alone, and looks at a field that was not named.
func (o *organisation) unnamed(ctx context.Context, id, field string) error {
	got, err := o.send(ctx, http.MethodPut, map[string]any{"Gsid": id, "Name": testName})
	if err != nil {
		return err
	}
	if !got.good() {
		o.wrong("G30", "Ask Gainsight's support whether a rule keeps the name from being sent again: rows whose identifier is unchanged would be rejected.", "It is refused (%s).", got.shown())
		return nil
	}
	o.ok("G30", "It may.")
	echo, _ := got.rows()
	o.alike("G28", len(echo) == 1 && got.status == http.StatusOK, "It answers %s with %s.", got.shown(), plural(len(echo), "row"))
	kept, err := o.value(ctx, id, field)
	if err != nil {
		return err
	}
	if kept != "doctor" {
		o.wrong("G29", "Do not sync yet: each update would clear what people typed in Gainsight. Tell Gainsight's support that an update clears fields it does not name.", "They are cleared.")
		return nil
	}
	o.ok("G29", "They are.")
	return nil
}

// value reads a field of the test company.
func (o *organisation) value(ctx context.Context, id, field string) (v any, err error) {
	err = o.patient(ctx, func() error {
		rows, err := o.client.Find(ctx, "company", []string{"Gsid", field}, "Gsid", []string{id})
		if err == nil && len(rows) == 1 {
			v = rows[0][field]
		}
		return err
	})
	return v, err
}

// unknownRow updates a row that does not exist.
func (o *organisation) unknownRow(ctx context.Context, id string) error {
	end := "0"
	if strings.HasSuffix(id, end) {
		end = "1"
	}
	got, err := o.send(ctx, http.MethodPut, map[string]any{"Gsid": id[:len(id)-1] + end, "Name": testName})
	if err != nil {
		return err
	}
	rows, err := o.find(ctx, "company", "Name", testName)
	if err != nil {
		return err
	}
	switch {
	case len(rows) > 1:
		o.wrong("G31", "Do not sync yet: rows deleted in Gainsight would appear again without their fields. Tell Gainsight's support that an update by an unknown GSID inserts.", "It inserts a row (%s).", got.shown())
	case got.good():
		o.wrong("G31", "Run full syncs (-mode full) after deleting rows in Gainsight: an update of a deleted row looks like a success.", "It is taken without a word (%s).", got.shown())
	default:
		o.alike("G31", got.code == "GSOBJ_1011", "It is refused (%s).", got.shown())
	}
	return nil
}

// form is one form of a value, and what the dialect says of it.
type form struct {
	words string
	value any
	set   func(*gainsight.Dialect)
}

// forms tries forms of a value until one is taken and read back as it was meant.
func (o *organisation) forms(ctx context.Context, point, id string, field record.Field, right func(any) bool, all []form) error {
	for i, f := range all {
		got, err := o.send(ctx, http.MethodPut, map[string]any{"Gsid": id, field.Name: f.value})
		if err != nil {
			return err
		}
		if !got.good() {
			continue
		}
		v, err := o.value(ctx, id, field.Name)
		if err != nil {
			return err
		}
		if !right(v) {
			continue
		}
		f.set(&o.dialect)
		o.alike(point, i == 0, "It is taken as %s.", f.words)
		return nil
	}
	o.wrong(point, "Take fields of this type out of the mappings, or ask Gainsight's support in which form they are written.", "No known form is taken.")
	return nil
}

func (o *organisation) dateTimes(ctx context.Context, id string) error {
	field, ok := o.writable(record.DateTime)
	if !ok {
		return nil
	}
	at := time.Date(2026, 1, 31, 22, 30, 15, 0, time.UTC)
	set := func(f gainsight.TimeForm) func(*gainsight.Dialect) {
		return func(d *gainsight.Dialect) { d.DateTime = f }
	}
	right := func(v any) bool { got, ok := moment(v); return ok && got.Equal(at) }
	return o.forms(ctx, "G32", id, field, right, []form{
		{"text with +0000", "2026-01-31T22:30:15.000+0000", set("")},
		{"text with +00:00", "2026-01-31T22:30:15.000+00:00", set(gainsight.TimeColon)},
		{"milliseconds", at.UnixMilli(), set(gainsight.TimeEpoch)},
	})
}

func (o *organisation) days(ctx context.Context, id string) error {
	field, ok := o.writable(record.Date)
	if !ok {
		return nil
	}
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	set := func(f gainsight.TimeForm) func(*gainsight.Dialect) {
		return func(d *gainsight.Dialect) { d.Date = f }
	}
	right := func(v any) bool {
		got, ok := moment(v)
		return ok && got.Format(time.DateOnly) == day.Format(time.DateOnly)
	}
	return o.forms(ctx, "G33", id, field, right, []form{
		{"2026-01-31", "2026-01-31", set("")}, {"milliseconds", day.UnixMilli(), set(gainsight.TimeEpoch)},
	})
}

func (o *organisation) lists(ctx context.Context, id string) error {
	field, ok := o.writable(record.Multi)
	if !ok {
		return nil
	}
	two := labels(field)[:2]
	set := func(list bool) func(*gainsight.Dialect) {
		return func(d *gainsight.Dialect) { d.ItemsAsList = list }
	}
	return o.forms(ctx, "G34", id, field, func(v any) bool { return items(v) == 2 }, []form{
		{"one text", strings.Join(two, ";"), set(false)}, {"a list", two, set(true)},
	})
}

// item writes a dropdown item by its label.
func (o *organisation) item(ctx context.Context, id string) error {
	field, ok := o.writable(record.Enumeration)
	if !ok {
		return nil
	}
	right := func(v any) bool { return v != nil && v != "" }
	return o.forms(ctx, "G35", id, field, right, []form{{"its label", labels(field)[0], func(*gainsight.Dialect) {}}})
}

// people examines the People API on the marked person.
func (o *organisation) people(ctx context.Context, company string) error {
	at := func(id string) []map[string]any { return []map[string]any{{"Company_ID": id}} }
	nobody, err := o.person(ctx, map[string]any{"FirstName": "Connector", "LastName": "Doctor", "Name": "Connector Doctor", "companies": at(company)})
	if err != nil {
		return err
	}
	o.alike("G37", !nobody.good(), "A person without one is %s (%s).", map[bool]string{true: "taken", false: "refused"}[nobody.good()], nobody.shown())
	if nobody.good() {
		o.left = append(o.left, "a person named Connector Doctor without an e-mail address")
	}
	nowhere, err := o.person(ctx, map[string]any{"Email": testEmail, "Name": "Connector Doctor", "companies": at(swapEnd(company))})
	if err != nil {
		return err
	}
	if nowhere.good() {
		o.wrong("G38", "Sync companies before contacts: Gainsight takes a person at a company that does not exist.", "It is taken.")
	} else {
		o.ok("G38", "It is refused (%s).", nowhere.shown())
	}
	got, err := o.person(ctx, map[string]any{"Email": testEmail, "FirstName": "Connector", "LastName": "Doctor", "Name": "Connector Doctor", "companies": at(company)})
	if err != nil {
		return err
	}
	if !got.good() {
		o.wrong("G39", "Contacts cannot be synced: give the access key or the M2M OAuth client the right to call the People API.", "The test person is refused (%s).", got.shown())
		return nil
	}
	o.left = append(o.left, "a person with the e-mail address "+testEmail)
	var data struct {
		Gsid string `json:"Gsid"`
	}
	_ = json.Unmarshal(got.data, &data) // another form has no GSID
	o.alike("G39", data.Gsid != "", "It comes %s a GSID.", map[bool]string{true: "with", false: "without"}[data.Gsid != ""])
	return o.again(ctx)
}

func swapEnd(id string) string {
	if strings.HasSuffix(id, "0") {
		return id[:len(id)-1] + "1"
	}
	return id[:len(id)-1] + "0"
}

func (o *organisation) person(ctx context.Context, body map[string]any) (reply, error) {
	return o.probe(ctx, apiclient.Request{Method: http.MethodPut, Path: "/v1/peoplemgmt/v1.0/people", JSON: body})
}

// again sends the marked person once more, in upper case and without companies.
func (o *organisation) again(ctx context.Context) error {
	known, err := o.find(ctx, "person", "Email", testEmail, strings.ToUpper(testEmail))
	if err != nil {
		return err
	}
	before, err := o.links(ctx, known)
	if err != nil {
		return err
	}
	got, err := o.person(ctx, map[string]any{"Email": strings.ToUpper(testEmail), "Name": "Connector Doctor"})
	if err != nil {
		return err
	}
	now, err := o.find(ctx, "person", "Email", testEmail, strings.ToUpper(testEmail))
	if err != nil {
		return err
	}
	switch {
	case len(now) > len(known):
		o.wrong("G40", "Let contacts have their e-mail addresses in lower case in HubSpot and in Gainsight: addresses that differ in case become two persons.", "They become two persons.")
		o.left = append(o.left, "a second person with that address in upper case")
		return nil
	case !got.good():
		o.adapts("G40", "", "An address in upper case is refused (%s).", got.shown())
		return nil
	}
	o.ok("G40", "They are.")
	after, err := o.links(ctx, now)
	if err != nil {
		return err
	}
	switch {
	case before == 0:
		o.unchecked("G41", "The person's company was not found in company_person.")
	case after < before:
		o.wrong("G41", "Do not sync contacts that are at several companies in Gainsight: each sync would take their other companies away. Tell Gainsight's support that a call of the People API removes associations it does not name.", "It loses them.")
	default:
		o.ok("G41", "It keeps them.")
	}
	return nil
}

// links counts the company persons of persons.
func (o *organisation) links(ctx context.Context, persons []map[string]any) (int, error) {
	rows, err := o.find(ctx, "company_person", "Person_ID", gsids(persons)...)
	if fault.Is(err, fault.Invalid) {
		return 0, nil // it cannot be asked by that field
	}
	return len(rows), err
}
