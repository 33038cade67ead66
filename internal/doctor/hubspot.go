package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/apiclient"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/token"
)

// account is the examination of HubSpot.
type account struct {
	*exam
	client     *hubspot.Client
	connection Connection
	dialect    hubspot.Dialect
}

// The types of contacts and companies.
const (
	contacts  = "0-1"
	companies = "0-2"
)

// answered is an answer of HubSpot, as far as it could be read.
type answered struct {
	status int
	header http.Header
	took   time.Duration
	body   struct {
		Status   string `json:"status"`
		Error    string `json:"error"`
		Category string `json:"category"`
		Total    int64  `json:"total"`
		Results  []struct {
			ID         string             `json:"id"`
			Properties map[string]*string `json:"properties"`
			From       struct {
				ID string `json:"id"`
			} `json:"from"`
			To []struct {
				ID json.RawMessage `json:"toObjectId"`
			} `json:"to"`
		} `json:"results"`
		Paging struct {
			Next struct {
				After string `json:"after"`
			} `json:"next"`
		} `json:"paging"`
		Errors []struct {
			Context map[string][]string `json:"context"`
		} `json:"errors"`
	}
}

func (a answered) ids() []string {
	ids := make([]string, len(a.body.Results))
	for i, r := range a.body.Results {
		ids[i] = r.ID
	}
	return ids
}

func (a answered) shown() string {
	text := "HTTP " + strconv.Itoa(a.status)
	for _, code := range []string{a.body.Category, a.body.Status} {
		if codes.MatchString(code) {
			return text + ", " + code
		}
	}
	return text
}

// examine goes through the points.
func (a *account) examine(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		a.reach, a.scopes, a.oauth, a.lists, a.budgets, a.merged, a.associations, a.searches, a.long,
	} {
		if err := step(ctx); err != nil || a.ended {
			return err
		}
	}
	return nil
}

// probe sends a call and returns its answer whatever it is, but a spent quota or
// an error of HubSpot's own.
func (a *account) probe(ctx context.Context, budget, method, path string, body any) (answered, error) {
	var got answered
	err := a.patient(ctx, func() error {
		from := a.now()
		raw, err := a.client.Probe(ctx, a.connection.ID, apiclient.Request{Method: method, Path: path, JSON: body, Budget: budget})
		if err != nil {
			return err
		}
		got = answered{status: raw.Status, header: raw.Header, took: a.now().Sub(from)}
		_ = json.Unmarshal(raw.Body, &got.body) // what could not be read is missing
		switch {
		case got.status == http.StatusTooManyRequests:
			return fault.Until(a.now().Add(10*time.Second), "HubSpot's call quota is spent, by this or by other apps. Give the command again later.")
		case got.status >= 477 && got.status != 530:
			return fault.New(fault.Transient, "HubSpot has a problem (HTTP %d). Give the command again.", got.status)
		}
		return nil
	})
	return got, err
}

func (a *account) list(ctx context.Context, object, query string) (answered, error) {
	return a.probe(ctx, hubspot.BudgetObjects, http.MethodGet, a.client.Path("/crm/objects/%s/")+object+"?"+query, nil)
}

// condition is a filter of a search.
type condition struct {
	Property string `json:"propertyName"`
	Operator string `json:"operator"`
	Value    string `json:"value,omitempty"`
}

func (a *account) search(ctx context.Context, object string, extra map[string]any, filters ...condition) (answered, error) {
	body := map[string]any{"limit": 1, "properties": []string{"hs_object_id"}}
	if len(filters) > 0 {
		body["filterGroups"] = []map[string]any{{"filters": filters}}
	}
	for name, v := range extra {
		body[name] = v
	}
	return a.probe(ctx, hubspot.BudgetSearch, http.MethodPost, a.client.Path("/crm/objects/%s/")+object+"/search", body)
}

// reach asks which account the token leads to.
func (a *account) reach(ctx context.Context) error {
	var account hubspot.Account
	err := a.patient(ctx, func() (err error) {
		account, err = a.client.Account(ctx, a.connection.ID)
		return err
	})
	switch {
	case fault.Is(err, fault.Transient), fault.Is(err, fault.Throttled):
		return err
	case err != nil:
		a.end("H1", fault.MessageOf(err), "The account cannot be read.")
		return nil
	}
	a.ok("H1", "It is; the account's type is %s.", plainWord(account.Type))
	if account.PortalID != a.connection.PortalID {
		a.wrong("H2", "Re-authorize the connection, for the account that it was made for.", "It leads to account %d, and the connection to %d.", account.PortalID, a.connection.PortalID)
		return nil
	}
	a.ok("H2", "It does: %d.", account.PortalID)
	return nil
}

func plainWord(s string) string {
	if codes.MatchString(s) {
		return s
	}
	return "not told"
}

// scopes reads one record of each object that ready-made jobs read, and of those
// that often follow.
func (a *account) scopes(ctx context.Context) error {
	var refused, other []string
	for _, object := range []struct {
		name, path string
		must       bool
	}{
		{"companies", "/crm/objects/%s/0-2", true},
		{"contacts", "/crm/objects/%s/0-1", true},
		{"owners", "/crm/owners/%s", true},
		{"deals", "/crm/objects/%s/0-3", false},
		{"tickets", "/crm/objects/%s/0-5", false},
	} {
		got, err := a.probe(ctx, hubspot.BudgetObjects, http.MethodGet, a.client.Path(object.path)+"?limit=1", nil)
		if err != nil {
			return err
		}
		switch {
		case got.status == http.StatusOK:
		case object.must:
			refused = append(refused, object.name+" ("+got.shown()+")")
		default:
			other = append(other, object.name)
		}
	}
	granted := plural(len(a.connection.Scopes), "scope") + " granted"
	switch {
	case len(refused) > 0:
		a.wrong("H3", "Re-authorize the connection and grant the scopes. Check that the app's scopes hold them.", "%s; not readable: %s.", granted, strings.Join(refused, ", "))
	case len(other) > 0:
		a.ok("H3", "%s; jobs for %s would lack one.", granted, strings.Join(other, " and "))
	default:
		a.ok("H3", "%s; companies, contacts, owners, deals and tickets can be read.", granted)
	}
	return nil
}

// oauth sends a made-up client and a made-up refresh token.
func (a *account) oauth(ctx context.Context) error {
	var got answered
	err := a.patient(ctx, func() error {
		raw, err := a.client.Probe(ctx, a.connection.ID, apiclient.Request{
			Method: http.MethodPost, Path: a.client.Path("/oauth/%s/token"), NoAuth: true,
			Form: url.Values{"grant_type": {"refresh_token"}, "client_id": {"doctor"}, "client_secret": {"doctor"}, "refresh_token": {"doctor"}},
		})
		got = answered{status: raw.Status}
		_ = json.Unmarshal(raw.Body, &got.body) // what could not be read is missing
		return err
	})
	if err != nil {
		return err
	}
	err = a.patient(ctx, func() error {
		_, err := a.client.Refresh(ctx, token.Token{Refresh: secret.Text("doctor")})
		return err
	})
	switch {
	case fault.Is(err, fault.Transient), fault.Is(err, fault.Throttled):
		return err
	case !fault.Is(err, fault.Reauthorize):
		a.wrong("H4", "Check HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET. If they are right, a withdrawn permission is told as: "+fault.MessageOf(err), "A made-up refresh token is not told as such.")
	default:
		named := got.body.Error == "invalid_client" || strings.HasPrefix(got.body.Status, "BAD_CLIENT")
		a.alike("H4", named, "A made-up app: %s. A made-up refresh token is told as such.", got.shown())
	}
	return nil
}

// lists looks at pages of the list API.
func (a *account) lists(ctx context.Context) error {
	for _, object := range []string{contacts, companies} {
		got, err := a.list(ctx, object, "limit=2&properties=hs_object_id,hs_object_source,phone")
		if err != nil {
			return err
		}
		ids, after := got.ids(), got.body.Paging.Next.After
		if len(ids) > 0 {
			_, one := got.body.Results[0].Properties["hs_object_id"]
			_, two := got.body.Results[0].Properties["phone"]
			a.alike("H10", one && two, "Of two names, %d came back.", map[bool]int{true: 2, false: 1}[one && two])
		}
		if len(ids) < 2 || after == "" {
			continue
		}
		return a.cursor(ctx, object, ids, after)
	}
	return nil
}

// cursor finds what the cursor of a list means.
func (a *account) cursor(ctx context.Context, object string, ids []string, after string) error {
	from, err := a.list(ctx, object, "limit=1&after="+url.QueryEscape(ids[1]))
	if err != nil {
		return err
	}
	behind, err := a.list(ctx, object, "limit=1&after="+url.QueryEscape(after))
	if err != nil {
		return err
	}
	ordered := number(ids[0]) < number(ids[1])
	found := "another form"
	switch {
	case len(from.ids()) == 1 && from.ids()[0] == ids[1]:
		found = "the id that the page begins with"
	case after == ids[1]:
		found = "the id that the page begins behind"
	}
	next := behind.ids()
	switch {
	case len(next) == 1 && slices.Contains(ids, next[0]):
		a.wrong("H11", "Do not sync yet: lists never end. Tell HubSpot's support that a list repeats records of the page before.", "The cursor leads back.")
	case !ordered:
		a.adapts("H11", "Sends back the cursor it was given. Records that are created while a list is read come with the next run.", "The list is not ordered by id; its cursor is %s.", found)
	default:
		a.alike("H11", found == "the id that the page begins with", "It is ordered; its cursor is %s.", found)
	}
	return nil
}

func number(id string) uint64 {
	n, _ := strconv.ParseUint(id, 10, 64) // another form of id is 0
	return n
}

// budgets compares what headers tell with what the connector takes.
func (a *account) budgets(ctx context.Context) error {
	before, err := a.list(ctx, companies, "limit=100")
	if err != nil {
		return err
	}
	if n := len(before.body.Results); n == 100 && before.took > 0 {
		a.ok("H13", "A page of 100 records takes %s: %.0f records a second.", before.took.Round(time.Millisecond), 100/before.took.Seconds())
	}
	most, per := header(before.header, "Max"), header(before.header, "Interval-Milliseconds")
	if most <= 0 || per <= 0 {
		a.unchecked("H7", "No header tells the limit.")
		a.unchecked("H8", "No header tells what is left.")
		return nil
	}
	told := fmt.Sprintf("%d/%s", most, time.Duration(per)*time.Millisecond)
	a.ok("H7", "%s are allowed.", told)
	if b := a.client.API.Budgets[hubspot.BudgetObjects]; b != nil && len(b.Windows) > 0 {
		w := b.Windows[0]
		if ours := float64(w.Calls) / w.Per.Seconds(); ours > float64(most)/(float64(per)/1000) {
			a.wrong("H7", "Set HUBSPOT_LIMIT="+told+".", "%s are allowed, and the connector takes up to %d/%s.", told, w.Calls, w.Per)
		}
	}
	if _, err := a.search(ctx, companies, nil); err != nil {
		return err
	}
	after, err := a.list(ctx, companies, "limit=1")
	if err != nil {
		return err
	}
	left := header(before.header, "Remaining") - header(after.header, "Remaining")
	a.alike("H8", left <= 1, "Between two calls around a search, %s used.", plural(max(left, 0), "call"))
	return nil
}

// header reads a number of HubSpot's rate limit headers, -1 if there is none.
func header(h http.Header, name string) int {
	n, err := strconv.Atoi(h.Get("X-Hubspot-Ratelimit-" + name))
	if err != nil {
		return -1
	}
	return n
}

// merged looks for a record that was merged away.
func (a *account) merged(ctx context.Context) error {
	const property = "hs_merged_object_ids"
	got, err := a.search(ctx, companies, map[string]any{"properties": []string{property}}, condition{Property: property, Operator: "HAS_PROPERTY"})
	if err != nil {
		return err
	}
	var loser string
	for _, r := range got.body.Results {
		if v := r.Properties[property]; v != nil {
			loser, _, _ = strings.Cut(*v, ";")
		}
	}
	if loser == "" {
		return nil
	}
	var in []string
	for _, archived := range []string{"false", "true"} {
		got, err := a.probe(ctx, hubspot.BudgetObjects, http.MethodPost,
			a.client.Path("/crm/objects/%s/")+companies+"/batch/read?archived="+archived,
			map[string]any{"inputs": []map[string]string{{"id": loser}}, "properties": []string{"hs_object_id"}})
		if err != nil {
			return err
		}
		if slices.Contains(got.ids(), loser) {
			in = append(in, map[string]string{"false": "live", "true": "archived"}[archived])
		}
	}
	if len(in) > 0 {
		a.adapts("H12", "", "It is among the %s records.", strings.Join(in, " and the "))
		return nil
	}
	a.ok("H12", "It is in none.")
	return nil
}
