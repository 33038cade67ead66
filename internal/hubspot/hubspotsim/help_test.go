package hubspotsim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

const (
	appID    = "c0ffee00-0000-4000-8000-000000000001"
	secret   = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
	callback = "https://connector.example/callback"
	v        = "2026-09"
)

// world is a simulator with one portal, and a token for it.
type world struct {
	*testing.T
	sim    *hubspotsim.Sim
	portal *hubspotsim.Portal
	token  string
	client *http.Client
	passed time.Duration // since the start, if the test moves the clock
}

// start starts at a fixed time that moves with world.passed, unless o.Now is set.
func start(t *testing.T, o hubspotsim.Options) *world {
	t.Helper()
	w := &world{T: t}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).Add(w.passed) }
	}
	w.sim = hubspotsim.New(o)
	w.sim.AddApp(appID, secret, []string{callback})
	w.portal = w.sim.AddPortal(90210, "customer.example")
	w.token, _ = w.portal.Token(appID)
	w.client = &http.Client{
		Transport:     w.sim.Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w
}

// free has no limits.
func free() hubspotsim.Options {
	return hubspotsim.Options{Limits: hubspotsim.Limits{Off: true}}
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func (w *world) send(method, path, contentType, body string) (response, error) {
	w.Helper()
	return w.sendIn(w.T, method, path, contentType, body)
}

func (w *world) sendIn(t testing.TB, method, path, contentType, body string) (response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://api.hubapi.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", contentType)
	resp, err := w.client.Do(r)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, read}, err
}

func (w *world) get(path string) response {
	w.Helper()
	r, err := w.send(http.MethodGet, path, "", "")
	if err != nil {
		w.Fatalf("GET %s: %v", path, err)
	}
	return r
}

func (w *world) post(path, body string) response {
	w.Helper()
	r, err := w.send(http.MethodPost, path, "application/json", body)
	if err != nil {
		w.Fatalf("POST %s: %v", path, err)
	}
	return r
}

func (w *world) form(path string, values url.Values) response {
	w.Helper()
	r, err := w.send(http.MethodPost, path, "application/x-www-form-urlencoded", values.Encode())
	if err != nil {
		w.Fatalf("POST %s: %v", path, err)
	}
	return r
}

// wants fails unless the answer has the status and the body holds the texts.
func (r response) wants(t *testing.T, status int, texts ...string) {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %.400s", r.status, status, r.body)
	}
	for _, text := range texts {
		if !bytes.Contains(r.body, []byte(text)) {
			t.Errorf("the body lacks %s: %.1000s", text, r.body)
		}
	}
}

type result struct {
	ID           string
	Properties   map[string]*string
	History      map[string][]struct{ Value string } `json:"propertiesWithHistory"`
	CreatedAt    string
	UpdatedAt    string
	ArchivedAt   string
	Archived     bool
	URL          string
	Associations map[string]struct {
		Results []struct{ ID, Type string }
		Paging  *struct{ Next struct{ After, Link string } }
	}
}

type page struct {
	Total   int
	Status  string
	Results []result
	Errors  []struct {
		Category, SubCategory, Message string
		Context                        map[string][]string
	}
	NumErrors int
	Paging    struct{ Next struct{ After, Link string } }
}

func (r response) page(t *testing.T) page {
	t.Helper()
	var out page
	r.decode(t, &out)
	return out
}

func (r response) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("%v in %.400s", err, r.body)
	}
}

func (p page) ids() []string {
	out := []string{}
	for _, r := range p.Results {
		out = append(out, r.ID)
	}
	return out
}

// companies creates n companies and returns their ids.
func (w *world) companies(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = w.portal.Create("companies", map[string]string{"name": fmt.Sprintf("Company %d", i)})
	}
	return out
}

func set(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}
