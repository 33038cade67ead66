package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/schedule"
)

const (
	schemaPrefix = "#/components/schemas/"
	intro        = `The operations of the console, for programs.

- **Sign in** with a token of the deployment's issuer: ` + "`Authorization: Bearer …`" + `. The role viewer reads, the role admin changes too. Every change is told in the updates with who made it.
- **Lists** have pages: ask for the next one with the ` + "`next`" + ` of the page before as ` + "`cursor`" + `.
- **Edits** name what they were made from: send the ` + "`ETag`" + ` that you read as ` + "`If-Match`" + `. If somebody else was faster the answer is 409, with the version that is stored now.
- **Starts** take an ` + "`Idempotency-Key`" + `: the same key of the same person starts once.
- **Failures** are problem documents that list everything that is wrong. 429 and 503 say in ` + "`Retry-After`" + ` when to try again.`
)

// newDocument is what the document says of the API as a whole.
func newDocument(publicURL string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: "HubSpot → Gainsight connector", Version: "1", Description: intro},
		Servers: []*huma.Server{{URL: strings.TrimSuffix(publicURL, "/") + Prefix}},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry(schemaPrefix, schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "A token of the deployment's issuer."},
			},
		},
		Security: []map[string][]string{{"bearer": {}}},
		Tags: []*huma.Tag{
			{Name: "Connections"},
			{Name: "Objects"},
			{Name: "Jobs"},
			{Name: "Job chains"},
			{Name: "Schedules and notification"},
			{Name: "Runs"},
			{Name: "Records"},
			{Name: "Users and people"},
			{Name: "Settings"},
			{Name: "Configuration"},
		},
	}
}

// schemaName names a type in the document: those of other packages by their
// package too, unless that says the same.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	pkg := t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]
	if pkg == "" || pkg == "api" || strings.EqualFold(pkg, name) {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// input is what an operation takes.
type input struct{ path, query, body, match bool }

func inputOf(t reflect.Type) input {
	var in input
	for _, f := range reflect.VisibleFields(t) {
		_, path := f.Tag.Lookup("path")
		_, query := f.Tag.Lookup("query")
		in.path, in.query = in.path || path, in.query || query
		in.body = in.body || f.Name == "Body" || f.Name == "RawBody"
		in.match = in.match || f.Name == "IfMatch"
	}
	return in
}

// responses are the failures of an operation, and its success if that is no JSON.
func (a *api) responses(op operation, in input) map[string]*huma.Response {
	all := map[string]*huma.Response{}
	schema := a.doc.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	fails := func(when bool, status int, description string) {
		if when {
			all[strconv.Itoa(status)] = &huma.Response{Description: description, Content: map[string]*huma.MediaType{problemType: {Schema: schema}}}
		}
	}
	fails(true, http.StatusUnauthorized, "Nobody is signed in.")
	fails(op.role != "", http.StatusForbidden, "The role is viewer.")
	fails(in.path, http.StatusNotFound, "What the address names does not exist.")
	fails(in.body, http.StatusBadRequest, "The body is not JSON, or cannot be read.")
	fails(in.body, http.StatusRequestTimeout, "The body did not arrive in time.")
	fails(in.body, http.StatusRequestEntityTooLarge, "The body is too large.")
	fails(in.body && op.answer == "", http.StatusUnsupportedMediaType, "The body is of another type.")
	fails(true, http.StatusUnprocessableEntity, "The request is wrong in the ways that are listed.")
	fails(op.conflict || in.match, http.StatusConflict, "What is stored does not allow it: somebody else was faster, or it is in use.")
	fails(in.match && op.method == http.MethodPut, http.StatusPreconditionRequired, "The header If-Match is missing.")
	fails(op.vendor, http.StatusFailedDependency, "A vendor does not accept the permission: authorize the connection again.")
	fails(op.vendor, http.StatusTooManyRequests, "A vendor's quota is spent until the time in Retry-After.")
	fails(true, http.StatusInternalServerError, "Something went wrong on our side.")
	fails(true, http.StatusServiceUnavailable, "No answer in time: try again.")
	if op.answer != "" {
		all[strconv.Itoa(http.StatusOK)] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{op.answer: {Schema: &huma.Schema{Type: map[bool]string{true: "object", false: "string"}[op.answer == yamlType]}}}}
	}
	return all
}

// finishDocument finishes the document, and serves it with its page.
func (a *api) finishDocument() {
	doc := a.doc
	schemas := doc.Components.Schemas.Map()
	for name, schema := range schemas {
		t := doc.Components.Schemas.TypeFromRef(schemaPrefix + name)
		for _, f := range reflect.VisibleFields(t) {
			describe(t, f, schema)
		}
		schema.PrecomputeMessages()
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic("openapi document: " + err.Error()) // a bug that every test meets
	}
	a.json, a.page = text, readable(doc)
	a.mux.HandleFunc("GET "+Prefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(a.json) // a client that has gone needs no answer
	})
	a.mux.HandleFunc("GET "+Prefix+"/{$}", a.showPage)
	a.mux.HandleFunc("GET "+Prefix+"/style.css", showStyle)
}

// describe adds to the schema of a field what its type allows, and what it means.
func describe(t reflect.Type, f reflect.StructField, schema *huma.Schema) {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	field := schema.Properties[name]
	if field == nil || field.Ref != "" {
		return
	}
	if text := meanings[t.String()+"."+name]; text != "" {
		field.Description = text
	}
	of := f.Type
	for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	values, ok := choices[of]
	if !ok {
		return
	}
	if field.Items != nil {
		field = field.Items
	}
	field.Enum = values
	field.PrecomputeMessages()
}

func all[T any](values ...T) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = reflect.ValueOf(v).String()
	}
	return list
}

// choices are the values that a type can have. :: type → values
var choices = map[reflect.Type][]any{ //nolint:gochecknoglobals // a constant
	reflect.TypeFor[condition.Op](): all(
		condition.Equals, condition.NotEquals, condition.Contains, condition.NotContains, condition.StartsWith, condition.EndsWith, condition.IsNull,
		condition.IsNotNull, condition.Less, condition.LessOrEqual, condition.Greater, condition.GreaterOrEqual, condition.In, condition.NotIn,
		condition.Before, condition.After, condition.Between, condition.InLastDays, condition.Includes, condition.Excludes,
	),
	reflect.TypeFor[mapping.Empty]():    all(mapping.EmptyClear, mapping.EmptyKeep, mapping.EmptyNull),
	reflect.TypeFor[mapping.Multiple](): all(mapping.MultipleAny, mapping.MultipleError),
	reflect.TypeFor[mapping.None]():     all(mapping.NoneReject, mapping.NoneNull, mapping.NoneDefault),
	reflect.TypeFor[job.Do]():           all(job.DoNothing, job.DoSet, job.DoDelete),
	reflect.TypeFor[chain.OnFailure]():  all("", chain.Stop, chain.Continue),
	reflect.TypeFor[schedule.Kind](): all(
		schedule.Weekdays, schedule.Daily, schedule.Weekly, schedule.MonthlyDay, schedule.MonthlyNth, schedule.Hourly, schedule.Minutes,
	),
	reflect.TypeFor[schedule.Day](): all(
		schedule.Monday, schedule.Tuesday, schedule.Wednesday, schedule.Thursday, schedule.Friday, schedule.Saturday, schedule.Sunday,
	),
	reflect.TypeFor[connection.Status](): all(connection.NotAuthorized, connection.Active, connection.NeedsReauthorization, connection.Revoked),
	reflect.TypeFor[run.Status]():        all(run.Planned, run.Running, run.Success, run.Partial, run.Failed, run.Skipped),
	reflect.TypeFor[run.Outcome]():       all(run.Filtered, run.Inserted, run.Updated, run.Unchanged, run.Rejected),
	reflect.TypeFor[record.Type](): all(
		record.String, record.Number, record.Boolean, record.Date, record.DateTime, record.Enumeration, record.Multi, record.Email, record.URL,
		record.RichText, record.Percentage, record.Currency, record.GSID, record.SFDCID, record.Unsupported,
	),
	reflect.TypeFor[doctor.Verdict]():     all(doctor.OK, doctor.Adapts, doctor.Wrong, doctor.Unchecked),
	reflect.TypeFor[admin.OwnerState]():   all(admin.Ambiguous, admin.Unmatched, admin.Associated),
	reflect.TypeFor[admin.Work]():         all(admin.FirstLoad, admin.Comparison, admin.Changes),
	reflect.TypeFor[admin.BacklogState](): all(admin.AtWork, admin.WaitsForJobs, admin.Paused, admin.Unauthorized, admin.Due),
}

// meanings describe the fields of what the packages below keep. :: type.field → text
var meanings = map[string]string{ //nolint:gochecknoglobals // a constant
	"mapping.Config.source":     "The object of HubSpot: company, contact, owner, deal, ticket, or a type id such as 2-3453932.",
	"mapping.Config.target":     "The object of Gainsight: company, company_person, gsuser, or a custom object.",
	"mapping.Config.fields":     "The dataset.",
	"mapping.Config.formulas":   "Computed from the dataset, before the case fields, which may use them.",
	"mapping.Config.direct":     "Which field becomes which; at least one is an identifier.",
	"mapping.Config.derived":    "Fields of type GSID that a look-up fills.",
	"mapping.Field.name":        "The dataset's name for it, unique.",
	"mapping.Field.label":       "Missing = the property's label.",
	"mapping.Field.property":    "Property of the source; missing = the name. Not used with an association.",
	"mapping.Association.label": "Missing = the primary one.",
	"mapping.Direct.from":       "A dataset, case or formula field.",
	"mapping.Direct.to":         "A target field; one of the person in a people job is Person::Email.",
	"mapping.Direct.identifier": "Whether it is part of the upsert key.",
	"mapping.Direct.whenEmpty":  "What becomes of the target field if the source is empty: missing = cleared if this job wrote it, keep = left alone, null = always written as null.",
	"mapping.Direct.default":    "Taken if the source is empty or does not fit.",
	"mapping.Derived.match":     "1 to 6 pairs, which must all match.",
	"mapping.Derived.multiple":  "If several rows match: any = the one with the smallest GSID, error = the record is rejected.",
	"mapping.Derived.none":      "If no row matches: reject the record, write null, or take the default.",
	"mapping.Derived.default":   "A GSID, with none = default.",
	"mapping.Value.text":        "A text, or",
	"mapping.Value.field":       "the value of a dataset field; without both it is null.",

	"condition.Filter.conditions": "They get the letters A, B, C… in their order; at most 26.",
	"condition.Filter.expression": "Such as A AND (B OR C); missing = all must hold.",
	"condition.Condition.exact":   "Compares text with its case.",

	"job.Options.deactivateLeavers": "Whether users of archived owners are deactivated.",
	"job.Options.realTime":          "Whether HubSpot's webhooks start runs of the changed records.",
	"job.Options.noComparison":      "Whether the weekly comparison of all records is left out.",
	"job.WhenDeleted.do":            "What becomes of the row of a record that HubSpot no longer has: missing = nothing, set = a field becomes a value, delete = the row is deleted.",

	"schedule.Schedule.days":  "Days of a weekly schedule; the one day of a monthlyNth schedule.",
	"schedule.Schedule.day":   "Day of a monthlyDay schedule, 1 to 31: in a shorter month its last day.",
	"schedule.Schedule.nth":   "Nth of a monthlyNth schedule, 1 to 5: 5 is the last one of the month.",
	"schedule.Schedule.every": "Minutes between two runs of a minutes schedule, 5 to 1,440.",
	"schedule.Schedule.at":    "Time of day, such as 02:00.",
	"schedule.Schedule.zone":  "IANA name, such as Europe/Berlin.",
	"schedule.Schedule.start": "The first day, such as 2026-12-01 in the zone.",
	"schedule.Schedule.end":   "The last day, likewise.",
}
