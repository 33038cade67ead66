package hubspotsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

func TestSignatures(t *testing.T) {
	v3 := hubspotsim.SignatureV3
	const (
		uri  = "https://www.example.com/webhook_uri"
		body = `{'example_field':'example_value'}`
		auto = "autopilot-test-client-secret-0001"
		own  = `[{"eventId":501,"subscriptionId":77,"portalId":90210,"appId":1234567,"occurredAt":1795392000123,"subscriptionType":"company.propertyChange","attemptNumber":0,"objectId":81001,"propertyName":"name","propertyValue":"Acme","changeSource":"CRM_UI","sourceId":"userId:42"}]`
	)
	for name, pair := range map[string][2]string{
		"v3":       {v3(secret, "POST", uri, []byte(body), 1693657560000), "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="},
		"v3 later": {v3(secret, "POST", uri, []byte(body), 1700000300000), "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="},
		"v3 decoded": {
			v3(auto, "POST", "https://example.com/api/hubspot/webhooks?src=hs%3Aapp%2Fv3&x=%28a%29", []byte("[]"), 1790000004000),
			"G8ddQlikFQ0ScZOZn+MHQ0E3WCV7vOJTzKlvrkvbvuk=",
		},
		"v3 own": {v3("sim-secret-0001", "POST", "https://hooks.example.test/v1/hubspot/events", []byte(own), 1795392001000), "4Ai76dXHIMiUo3bWBld/aBar/g3+FL+cfF8Pduv1EYY="},
		"v1 own": {hubspotsim.SignatureV1("sim-secret-0001", []byte(own)), "231810cce4a853cd24b3ca2b37a5fbf2f5d8e1b266c831098741a889fe49107b"},
		"v1": {
			hubspotsim.SignatureV1(secret, []byte(`[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]`)),
			"232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de",
		},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %s, want %s", name, pair[0], pair[1])
		}
	}
}

type hook struct {
	EventID   int64   `json:"eventId"`
	PortalID  int64   `json:"portalId"`
	Type      string  `json:"subscriptionType"`
	ObjectID  int64   `json:"objectId"`
	TypeID    string  `json:"objectTypeId"`
	Property  string  `json:"propertyName"`
	Value     *string `json:"propertyValue"`
	Attempt   int     `json:"attemptNumber"`
	Kind      string  `json:"associationType"`
	Primary   bool    `json:"isPrimaryAssociation"`
	NewID     int64   `json:"newObjectId"`
	MergedIDs []int64 `json:"mergedObjectIds"`
}

// receiver takes deliveries in the process.
type receiver struct {
	mu      sync.Mutex
	refuse  int // so many deliveries are refused
	batches [][]hook
	at      []time.Time
	bad     []string
}

func (r *receiver) RoundTrip(q *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(q.Body)
	at, _ := strconv.ParseInt(q.Header.Get("X-HubSpot-Request-Timestamp"), 10, 64)
	if q.Header.Get("X-HubSpot-Signature-v3") != hubspotsim.SignatureV3(secret, "POST", q.URL.String(), body, at) ||
		q.Header.Get("X-HubSpot-Signature") != hubspotsim.SignatureV1(secret, body) || at != time.Now().UnixMilli() {
		r.bad = append(r.bad, "signature")
	}
	var events []hook
	if err := json.Unmarshal(body, &events); err != nil || len(events) > 100 {
		r.bad = append(r.bad, "body")
	}
	r.batches, r.at = append(r.batches, events), append(r.at, time.Now())
	status := http.StatusOK
	if len(r.batches) <= r.refuse {
		status = http.StatusServiceUnavailable
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: q}, nil
}

func (r *receiver) types() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, batch := range r.batches {
		for _, e := range batch {
			out = append(out, e.Type)
		}
	}
	return out
}

// rest lets time pass and all deliveries of that time end.
func rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// hooked runs a test with a receiver inside a bubble.
func hooked(t *testing.T, with func(h *hubspotsim.Webhooks, r *receiver), test func(w *world, r *receiver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := free()
		o.Now = time.Now
		w, r := start(t, o), &receiver{}
		h := hubspotsim.Webhooks{URL: "https://hooks.example.test/v1/events?x=%28a%29", Secret: secret, AppID: 1, Client: &http.Client{Transport: r}, Gather: time.Second}
		with(&h, r)
		defer w.sim.StartWebhooks(t.Context(), h)()
		test(w, r)
		if len(r.bad) > 0 {
			t.Errorf("bad deliveries: %v", r.bad)
		}
	})
}

func TestEditsAreDeliveredSigned(t *testing.T) {
	hooked(t, func(*hubspotsim.Webhooks, *receiver) {}, func(w *world, r *receiver) {
		ids := w.companies(2)
		w.portal.Set("companies", ids[0], set("name", "Acme", "city", "Bonn"))
		w.portal.SetSilently("companies", ids[0], set("num_associated_deals", "1"))
		contact := w.portal.Create("contacts", nil)
		w.portal.Associate("contacts", contact, "companies", ids[0], hubspotsim.Primary)
		merged := w.portal.Merge("companies", ids[0], ids[1])
		w.portal.Archive("companies", merged)
		w.portal.Restore("companies", merged)
		w.portal.Purge("contacts", contact)
		note := w.portal.Create("notes", nil)
		rest(2 * time.Second)
		want := strings.Fields(`company.creation company.creation company.propertyChange company.propertyChange contact.creation
			contact.associationChange contact.associationChange company.associationChange company.associationChange
			company.merge company.deletion company.deletion company.deletion company.restore
			contact.deletion contact.privacyDeletion object.creation`)
		got := r.types()
		if !slices.Equal(got, want) {
			w.Fatalf("events %v", got)
		}
		events := r.batches[0]
		if e := events[9]; strconv.FormatInt(e.NewID, 10) != merged || len(e.MergedIDs) != 1 || e.PortalID != 90210 {
			w.Errorf("merge %+v", e)
		}
		if e := events[16]; e.TypeID != "0-46" || strconv.FormatInt(e.ObjectID, 10) != note {
			w.Errorf("object event %+v", e)
		}
		if !events[5].Primary || events[6].Primary || events[7].Kind != "COMPANY_TO_CONTACT" {
			w.Errorf("association events %+v", events[5:9])
		}
		seen := map[int64]bool{}
		for _, e := range events {
			seen[e.EventID] = true
		}
		if len(seen) == len(events) {
			w.Error("event ids are unique")
		}
	})
}

func TestDeliveriesHoldAtMost100EventsOfTheSubscriptions(t *testing.T) {
	hooked(t, func(h *hubspotsim.Webhooks, _ *receiver) { h.Types = []string{"company.creation"} }, func(w *world, r *receiver) {
		w.companies(250)
		w.portal.Create("contacts", nil)
		rest(2 * time.Second)
		if len(r.types()) != 250 || len(r.batches) != 3 {
			w.Errorf("%d events in %d batches", len(r.types()), len(r.batches))
		}
	})
}

func TestRefusedDeliveriesAreRepeatedWithinADay(t *testing.T) {
	for refuse, want := range map[int]int{3: 4, 99: 11} {
		hooked(t, func(_ *hubspotsim.Webhooks, r *receiver) { r.refuse = refuse }, func(w *world, r *receiver) {
			w.companies(1)
			began := time.Now()
			rest(48 * time.Hour)
			if len(r.batches) != want || r.batches[len(r.batches)-1][0].Attempt != want-1 || r.at[len(r.at)-1].Sub(began) > 24*time.Hour+time.Second || r.at[1].Equal(r.at[0]) {
				w.Errorf("%d deliveries, want %d: %v", len(r.batches), want, r.at)
			}
		})
	}
}

func TestDeliveriesMayBeShuffledAndDuplicated(t *testing.T) {
	hooked(t, func(h *hubspotsim.Webhooks, _ *receiver) { h.Shuffle, h.Duplicate = true, 10 }, func(w *world, r *receiver) {
		w.companies(50)
		rest(2 * time.Second)
		var ids []int64
		for _, e := range r.batches[0] {
			ids = append(ids, e.ObjectID)
		}
		if len(ids) <= 50 || slices.IsSorted(ids) {
			w.Errorf("%d events, sorted %v", len(ids), slices.IsSorted(ids))
		}
	})
}

func TestAnAnswerAfterFiveSecondsIsTooLate(t *testing.T) {
	hooked(t, func(h *hubspotsim.Webhooks, r *receiver) {
		h.Client = &http.Client{Transport: slow{r}}
		h.Spread = time.Minute
	}, func(w *world, r *receiver) {
		w.companies(1)
		rest(10 * time.Minute)
		if len(r.batches) != 0 {
			w.Errorf("%d deliveries arrived", len(r.batches))
		}
	})
}

type slow struct{ next http.RoundTripper }

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(5001 * time.Millisecond):
		return s.next.RoundTrip(r)
	}
}
