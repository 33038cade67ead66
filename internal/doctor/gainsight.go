package doctor

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

// organisation is the examination of Gainsight. Its client speaks the dialect
// found so far.
type organisation struct {
	*exam
	client  *gainsight.Client
	dialect gainsight.Dialect
	origin  string
	byKey   bool // with an access key
	schemas map[string]record.Schema
	rows    []map[string]any // the first companies
}

func newOrganisation(ctx context.Context, d *Doctor, e *exam) (*organisation, error) {
	o := &organisation{exam: e, schemas: map[string]record.Schema{}}
	config, err := d.Gainsight.Current(ctx)
	if err != nil {
		return o, err
	}
	o.origin, o.byKey = config.URL, config.AccessKey != ""
	known, err := d.Store.Gainsight(ctx)
	if err != nil {
		return o, err
	}
	// What this examination may not be able to see stays as it was found.
	o.dialect = gainsight.Dialect{
		PageRows: known.PageRows, Exact: known.Exact, DateTime: known.DateTime, Date: known.Date, ItemsAsList: known.ItemsAsList,
	}
	o.client = &gainsight.Client{
		Config: config, API: d.Gainsight.API, Tokens: &tokens{organisation: o},
		Dialect: func(context.Context) (gainsight.Dialect, error) { return o.dialect, nil },
	}
	return o, nil
}

// tokens keeps the M2M OAuth token of the examination.
type tokens struct {
	organisation *organisation
	mu           sync.Mutex
	token        token.Token
}

// Token implements gainsight.Tokens.
func (t *tokens) Token(ctx context.Context, connection string) (token.Token, error) {
	t.mu.Lock()
	known := t.token
	t.mu.Unlock()
	if known.Access != "" {
		return known, nil
	}
	return t.Renew(ctx, connection, "")
}

// Renew implements gainsight.Tokens.
func (t *tokens) Renew(ctx context.Context, _ string, _ secret.Text) (token.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	t.token, err = t.organisation.client.Grant(ctx)
	return t.token, err
}

// examine goes through the points in an order in which each can use what the
// earlier ones found.
func (o *organisation) examine(ctx context.Context) error {
	steps := []func(context.Context) error{
		o.token, o.reach, o.refusedKey, o.names, o.unknownPlaces, o.describe, o.objects,
		o.firstRows, o.noRows, o.keyset, o.inValues, o.pageRows, o.unknownField, o.letterCase,
	}
	if o.doctor.Write {
		steps = append(steps, o.write)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil || o.ended {
			return err
		}
	}
	return nil
}

// probe sends a call and returns its answer whatever it is, but a spent quota.
func (o *organisation) probe(ctx context.Context, r apiclient.Request) (reply, error) {
	var got reply
	err := o.patient(ctx, func() error {
		a, err := o.client.Probe(ctx, r)
		if err != nil {
			return err
		}
		got = readReply(a)
		if got.status == http.StatusTooManyRequests || got.code == "GS_APIG_2404" || got.code == "GU_2400" {
			at := o.now().Truncate(time.Minute).Add(time.Minute)
			return fault.Until(at, "Gainsight's call quota is spent, by this or by other integrations. Give the command again later.")
		}
		if got.status >= http.StatusInternalServerError || got.code == "GU_1101" {
			return fault.New(fault.Transient, "Gainsight had an error of its own (%s). Give the command again.", got.shown())
		}
		return nil
	})
	return got, err
}

// ask reads rows of an object by a body of the query API.
func (o *organisation) ask(ctx context.Context, object string, body map[string]any) (reply, error) {
	return o.probe(ctx, apiclient.Request{Method: http.MethodPost, Path: "/v1/data/objects/query/" + url.PathEscape(object), JSON: body})
}

// first is the body that asks for the first rows.
func first(limit int, fields ...string) map[string]any {
	return map[string]any{"select": fields, "orderBy": map[string]string{"Gsid": "asc"}, "limit": limit, "offset": 0}
}

// where adds a condition on GSIDs to a body.
func where(body map[string]any, operator string, values ...string) map[string]any {
	body["where"] = map[string]any{
		"conditions": []map[string]any{{"name": "Gsid", "alias": "A", "value": values, "operator": operator}}, "expression": "A",
	}
	return body
}

// token finds the body for which a token is given.
func (o *organisation) token(ctx context.Context) error {
	if o.byKey {
		o.unchecked("G2", "An access key is configured, so no token is asked for.")
		o.unchecked("G3", "An access key is configured.")
		return nil
	}
	var refused error
	for _, body := range []gainsight.TokenBody{gainsight.TokenForm, gainsight.TokenJSON, gainsight.TokenEmpty} {
		o.dialect.TokenBody = body
		err := o.patient(ctx, func() error {
			_, err := o.client.Tokens.Renew(ctx, gainsight.Connection, "")
			return err
		})
		switch {
		case err == nil:
			words := map[gainsight.TokenBody]string{
				gainsight.TokenForm: "a form", gainsight.TokenJSON: "an empty JSON object", gainsight.TokenEmpty: "an empty body",
			}
			o.alike("G2", body == gainsight.TokenForm, "A token is given for %s.", words[body])
			return nil
		case fault.Is(err, fault.Transient), fault.Is(err, fault.Throttled):
			return err
		case refused == nil:
			refused = err
		}
	}
	o.dialect.TokenBody = ""
	o.end("G2", fault.MessageOf(refused), "No body is taken.")
	return nil
}

// reach sends the first call with credentials.
func (o *organisation) reach(ctx context.Context) error {
	got, err := o.ask(ctx, "company", first(1, "Gsid"))
	if err != nil {
		return err
	}
	refused := got.status == http.StatusUnauthorized || got.code == "GS_APIG_2401" || got.code == "GSOBJ_1024"
	switch {
	case got.code == "GS_APIG_2402":
		o.end("G1", "Allow the address of this machine in Gainsight, or use M2M OAuth instead of the access key.", "The address of this machine is refused (%s).", got.shown())
	case refused && o.byKey:
		o.end("G1", "Check GAINSIGHT_ACCESS_KEY: an old key stops working when a new one is generated.", "The access key is refused (%s).", got.shown())
	case refused:
		o.end("G3", "Use an access key (GAINSIGHT_ACCESS_KEY) instead of the M2M OAuth client.", "Data calls refuse the token (%s).", got.shown())
	case !got.isJSON, got.code == "GS_APIG_1000":
		o.end("G1", "Check GAINSIGHT_URL: it must be the address that people log in to, such as https://acme.gainsightcloud.com.", "Something else answers (%s).", got.shown())
	default:
		o.ok("G1", "It answers.")
		if !o.byKey {
			o.ok("G3", "Data calls take the token.")
		}
	}
	if got.header != nil {
		o.headers(got.header)
	}
	return nil
}

func (o *organisation) headers(h http.Header) {
	cookies := h.Values("Set-Cookie")
	balancer := slices.ContainsFunc(cookies, func(c string) bool { return strings.HasPrefix(c, "AWSALB") })
	switch {
	case balancer:
		o.ok("G6", "It sets cookies of a load balancer.")
	default:
		o.ok("G6", "It sets %s.", plural(len(cookies), "cookie"))
	}
	limit := h.Get("X-Ratelimit-Limit")
	if limit == "" || len(limit) > 40 || strings.Trim(limit, "0123456789 ,;/=w") != "" {
		o.unchecked("G7", "No answer tells the quota. If Gainsight grants more than 50,000 calls a day, set GAINSIGHT_DAY_LIMIT.")
		return
	}
	o.adapts("G7", "Stays below GAINSIGHT_LIMIT and GAINSIGHT_DAY_LIMIT: compare them with this.", "An answer tells a limit of %s.", limit)
}

// refusedKey sends credentials that nobody has.
func (o *organisation) refusedKey(ctx context.Context) error {
	got, err := o.probe(ctx, apiclient.Request{
		Method: http.MethodPost, Path: "/v1/data/objects/query/company", JSON: first(1, "Gsid"),
		NoAuth: true, Header: http.Header{"Accesskey": {"doctor"}},
	})
	if err != nil {
		return err
	}
	switch {
	case got.good():
		o.wrong("G4", "Check GAINSIGHT_URL: it leads to something that takes any key.", "Any key is taken.")
	case got.status == http.StatusUnauthorized, got.code == "GSOBJ_1024", got.code == "GS_APIG_2401":
		o.ok("G4", "A made-up key is refused (%s).", got.shown())
	default:
		o.adapts("G4", "", "A made-up key is refused (%s).", got.shown())
	}
	return nil
}

// names finds the names of the standard objects in paths of rows.
func (o *organisation) names(ctx context.Context) error {
	var changed, lost []string
	for _, object := range []string{"company", "person", "company_person", "gsuser"} {
		candidates := []string{object, map[string]string{"company": "Company", "person": "Person", "company_person": "Company_Person", "gsuser": "GsUser"}[object]}
		name := ""
		for _, candidate := range candidates {
			got, err := o.ask(ctx, candidate, first(1, "Gsid"))
			if err != nil {
				return err
			}
			if got.good() || got.noRows() {
				name = candidate
				break
			}
		}
		switch name {
		case object:
		case "":
			lost = append(lost, object)
		default:
			if o.dialect.Names == nil {
				o.dialect.Names = map[string]string{}
			}
			o.dialect.Names[object] = name
			changed = append(changed, name)
		}
	}
	switch {
	case len(lost) > 0:
		o.end("G13", "Give the access key or the M2M OAuth client the right to read them.", "%s cannot be read under any name.", strings.Join(lost, ", "))
	case len(changed) > 0:
		o.adapts("G13", "", "Rows are served under %s alone.", strings.Join(changed, ", "))
	default:
		o.ok("G13", "company, person, company_person and gsuser are served.")
	}
	return nil
}

// unknownPlaces asks for a path and an object that do not exist.
func (o *organisation) unknownPlaces(ctx context.Context) error {
	path, err := o.probe(ctx, apiclient.Request{Method: http.MethodGet, Path: "/v1/doctor-no-such-path"})
	if err != nil {
		return err
	}
	object, err := o.ask(ctx, nowhere, first(1, "Gsid"))
	if err != nil {
		return err
	}
	told := object.unknown() && (path.code == "GS_APIG_1000" || path.code == "GSOBJ_1023" || path.status == http.StatusNotFound)
	o.alike("G5", told, "A path: %s. An object: %s.", path.shown(), object.shown())
	return nil
}

// nowhere is an object that does not exist.
const nowhere = "doctor_no_such_object__gc"

// describe finds the call that describes an object.
func (o *organisation) describe(ctx context.Context) error {
	var refused error
	for _, post := range []bool{false, true} {
		o.dialect.DescribeByPost = post
		schema, err := o.schema(ctx, "company")
		if fault.Is(err, fault.Transient) || fault.Is(err, fault.Throttled) {
			return err
		}
		if err != nil {
			refused = err
			continue
		}
		o.alike("G11", !post, "%s; company has %s.", map[bool]string{false: "GET serves one object", true: "Only POST is served"}[post], plural(len(schema.Fields), "field"))
		refused = nil
		break
	}
	if refused != nil {
		o.end("G11", "Give the access key or the M2M OAuth client the right to read metadata: "+fault.MessageOf(refused), "No call describes an object.")
		return nil
	}
	_, err := o.schema(ctx, nowhere)
	switch {
	case fault.Is(err, fault.Transient), fault.Is(err, fault.Throttled):
		return err
	case fault.Is(err, fault.NotFound):
		o.ok("G12", "So it is.")
	default:
		o.adapts("G12", "Says that the request was refused, without naming the object.", "Another answer comes.")
	}
	return o.fields(ctx)
}

func (o *organisation) schema(ctx context.Context, object string) (record.Schema, error) {
	if known, ok := o.schemas[object]; ok {
		return known, nil
	}
	var schema record.Schema
	err := o.patient(ctx, func() (err error) {
		schema, err = o.client.Schema(ctx, object)
		return err
	})
	if err == nil {
		o.schemas[object] = schema
	}
	return schema, err
}

// fields looks for the standard fields that ready-made jobs map by name.
func (o *organisation) fields(ctx context.Context) error {
	var missing []string
	for _, object := range []struct {
		name   string
		fields []string
	}{
		{"company", []string{"Name"}},
		{"person", []string{"Email", "FirstName", "LastName"}},
		{"company_person", []string{"Company_ID"}},
		{"gsuser", []string{"FirstName", "LastName", "SFDCUserName", "Email"}},
	} {
		schema, err := o.schema(ctx, object.name)
		if fault.Is(err, fault.Transient) || fault.Is(err, fault.Throttled) {
			return err
		}
		for _, name := range object.fields {
			if _, ok := schema.Field(name); !ok || err != nil {
				missing = append(missing, object.name+"."+name)
			}
		}
	}
	if len(missing) > 0 {
		o.wrong("G14", "Map these fields in the ready-made jobs by hand, under the names that Data Management shows.", "Not described: %s.", strings.Join(missing, ", "))
		return nil
	}
	o.ok("G14", "All are described.")
	return nil
}

func (o *organisation) objects(ctx context.Context) error {
	var all []gainsight.Object
	err := o.patient(ctx, func() (err error) {
		all, err = o.client.Objects(ctx)
		return err
	})
	switch {
	case fault.Is(err, fault.Transient), fault.Is(err, fault.Throttled):
		return err
	case err != nil:
		o.unchecked("G15", "The list of objects is not served.")
		return nil //nolint:nilerr // that is the finding
	}
	custom, low := 0, 0
	for _, one := range all {
		if one.Type == "CUSTOM" {
			custom++
			if one.LowVolume {
				low++
			}
		}
	}
	o.ok("G15", "%s, of which %d transactional.", plural(custom, "custom object"), low)
	return nil
}
