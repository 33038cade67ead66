package hubspotsim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits of webhook deliveries (HubSpot's webhooks guide, November 2026).
const (
	maxEvents      = 100
	maxRetries     = 10
	retryWithin    = 24 * time.Hour
	answerWithin   = 5 * time.Second
	maxConcurrency = 10 // per portal
)

// Webhooks says where and how events are delivered.
type Webhooks struct {
	URL    string // as HubSpot calls it: it is part of the signature
	Secret string // the app's client secret
	AppID  int64
	Client *http.Client
	// Types are the subscriptions, such as company.propertyChange; nil = all.
	Types []string
	// Gather is how long events are collected for a batch.
	Gather time.Duration
	// Spread is the time over which the 10 retries are spread; 0 = 24 h.
	Spread time.Duration
	// Duplicate delivers every n-th event twice; 0 = never.
	Duplicate int
	Shuffle   bool
	// Lose never delivers every n-th event; 0 = none is lost.
	Lose int
	// Down reports whether nobody can be reached just now; nil = never. Retries go
	// on, and what is not accepted by the last one is lost.
	Down func(now time.Time) bool
}

// event is one entry of a delivery.
type event struct {
	EventID        int64   `json:"eventId"`
	SubscriptionID int     `json:"subscriptionId"`
	PortalID       int64   `json:"portalId"`
	AppID          int64   `json:"appId"`
	OccurredAt     int64   `json:"occurredAt"`
	Type           string  `json:"subscriptionType"`
	Attempt        int     `json:"attemptNumber"`
	ObjectID       int64   `json:"objectId,omitempty"`
	ObjectTypeID   string  `json:"objectTypeId,omitempty"`
	Property       string  `json:"propertyName,omitempty"`
	Value          *string `json:"propertyValue,omitempty"`
	Sensitive      *bool   `json:"isSensitive,omitempty"`
	PrimaryID      int64   `json:"primaryObjectId,omitempty"`
	MergedIDs      []int64 `json:"mergedObjectIds,omitempty"`
	NewID          int64   `json:"newObjectId,omitempty"`
	Moved          int     `json:"numberOfPropertiesMoved,omitempty"`
	Association    string  `json:"associationType,omitempty"`
	FromID         int64   `json:"fromObjectId,omitempty"`
	ToID           int64   `json:"toObjectId,omitempty"`
	Removed        *bool   `json:"associationRemoved,omitempty"`
	PrimaryLink    *bool   `json:"isPrimaryAssociation,omitempty"`
	Flag           string  `json:"changeFlag,omitempty"`
	Source         string  `json:"changeSource"`
}

// sender delivers the events of all portals to one address.
type sender struct {
	sim    *Sim
	w      Webhooks
	random *rand.Rand // under mu

	mu    sync.Mutex
	queue []event
	seen  int                     // events so far
	slots map[int64]chan struct{} // :: portal → free deliveries
	wake  chan struct{}
	tasks sync.WaitGroup
}

// StartWebhooks delivers the events of all edits from now on, in the
// background, until stop is called or ctx ends. stop waits for the deliveries
// that are under way to give up. There is no order, retries overtake others.
func (s *Sim) StartWebhooks(ctx context.Context, w Webhooks) (stop func()) {
	if w.Spread == 0 {
		w.Spread = retryWithin
	}
	d := &sender{
		sim: s, w: w, random: chance(s.o.Seed, 0xeb),
		slots: map[int64]chan struct{}{}, wake: make(chan struct{}, 1),
	}
	s.mu.Lock()
	s.senders = append(s.senders, d)
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	d.tasks.Go(func() { d.run(ctx) })
	return func() {
		s.mu.Lock()
		s.senders = slices.DeleteFunc(s.senders, func(other *sender) bool { return other == d })
		s.mu.Unlock()
		cancel()
		d.tasks.Wait()
	}
}

// emit hands an event to the senders. The portal's lock is held.
func (p *Portal) emit(t *objectType, e event) {
	name := "object"
	switch t.plural {
	case "companies", "contacts", "deals", "tickets", "line_items", "products":
		if t.schema == nil {
			name = t.singular
		}
	}
	if name == "object" {
		e.ObjectTypeID = t.id
	}
	if e.Type == "propertyChange" {
		n := t.byName[e.Property]
		sensitive := t.props[n].sensitivity() != "non_sensitive"
		if e.Sensitive = &sensitive; sensitive {
			hidden := "REDACTED"
			e.Value = &hidden
		}
	}
	e.Type = name + "." + e.Type
	e.PortalID, e.OccurredAt = p.id, p.sim.o.Now().UnixMilli()
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	p.sim.eventID++
	e.EventID = 500 + p.sim.eventID/2 // an id is not unique
	for _, d := range p.sim.senders {
		d.add(e)
	}
}

// emitLink tells of an association in both directions. Making one primary
// also tells of the association that is not primary.
func (p *Portal) emitLink(from *objectType, a *record, to *objectType, b *record, primary, removed bool) {
	kinds := []bool{false}
	if primary {
		kinds = []bool{true, false}
	}
	tell := func(from *objectType, a *record, to *objectType, b *record) {
		for _, kind := range kinds {
			p.emit(from, event{
				Type: "associationChange", Association: strings.ToUpper(from.singular + "_TO_" + to.singular),
				FromID: a.id, ToID: b.id, Removed: &removed, PrimaryLink: &kind, Source: "USER",
			})
		}
	}
	tell(from, a, to, b)
	tell(to, b, from, a)
}

func (d *sender) add(e event) {
	at := slices.Index(d.w.Types, e.Type)
	if d.w.Types != nil && at < 0 {
		return
	}
	e.SubscriptionID, e.AppID = 77+max(at, 0), d.w.AppID
	d.mu.Lock()
	if d.seen++; d.w.Lose > 0 && d.seen%d.w.Lose == 0 {
		d.mu.Unlock()
		return
	}
	d.queue = append(d.queue, e)
	if d.w.Duplicate > 0 && len(d.queue)%d.w.Duplicate == 0 {
		d.queue = append(d.queue, e)
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *sender) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		if d.sim.wait(ctx, d.w.Gather) != nil {
			return
		}
		for _, batch := range d.batches() {
			d.tasks.Go(func() { d.deliver(ctx, batch) })
		}
	}
}

// batches empties the queue: batches of one portal, of at most 100 events.
func (d *sender) batches() [][]event {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.queue
	d.queue = nil
	if d.w.Shuffle {
		d.random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
	byPortal := map[int64][]event{}
	for _, e := range events {
		byPortal[e.PortalID] = append(byPortal[e.PortalID], e)
	}
	var out [][]event
	for _, id := range sortedKeys(byPortal) {
		out = slices.AppendSeq(out, slices.Chunk(byPortal[id], maxEvents))
	}
	return out
}

// deliver sends a batch until it is accepted or its retries are used up.
func (d *sender) deliver(ctx context.Context, batch []event) {
	slot := d.slot(batch[0].PortalID)
	for attempt := 0; attempt <= maxRetries; attempt++ {
		if attempt > 0 {
			d.mu.Lock()
			pause := time.Duration(d.random.Int64N(int64(d.w.Spread)/maxRetries)) + 1
			d.mu.Unlock()
			if d.sim.wait(ctx, pause) != nil {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case slot <- struct{}{}:
		}
		ok := d.post(ctx, batch, attempt)
		<-slot
		if ok {
			return
		}
	}
}

func (d *sender) slot(portal int64) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slots[portal] == nil {
		d.slots[portal] = make(chan struct{}, maxConcurrency)
	}
	return d.slots[portal]
}

// post sends the batch once and reports whether it was accepted.
func (d *sender) post(ctx context.Context, batch []event, attempt int) bool {
	for i := range batch {
		batch[i].Attempt = attempt
	}
	body, err := json.Marshal(batch)
	if err != nil {
		panic(err) // own types only
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.w.URL, bytes.NewReader(body))
	if err != nil {
		return false
	}
	if d.w.Down != nil && d.w.Down(d.sim.o.Now()) {
		return false
	}
	at := d.sim.o.Now().UnixMilli()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-HubSpot-Signature-Version", "v1")
	r.Header.Set("X-HubSpot-Signature", SignatureV1(d.w.Secret, body))
	r.Header.Set("X-HubSpot-Request-Timestamp", strconv.FormatInt(at, 10))
	r.Header.Set("X-HubSpot-Signature-v3", SignatureV3(d.w.Secret, http.MethodPost, d.w.URL, body, at))
	answer, err := d.w.Client.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode >= 200 && answer.StatusCode < 300
}

// SignatureV1 is the header X-HubSpot-Signature of version v1.
func SignatureV1(secret string, body []byte) string {
	sum := sha256.Sum256(append([]byte(secret), body...))
	return hex.EncodeToString(sum[:])
}

// SignatureV3 is the header X-HubSpot-Signature-v3 of a request to uri at a
// time in ms since the epoch. Some escapes of the URI count as what they stand for.
func SignatureV3(secret, method, uri string, body []byte, at int64) string {
	decode := strings.NewReplacer("%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$",
		"%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(method + decode.Replace(uri)))
	mac.Write(body)
	mac.Write([]byte(strconv.FormatInt(at, 10)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
