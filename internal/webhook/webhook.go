// Package webhook takes what HubSpot tells of changes. An event is a hint: the
// record is marked, once however many events, and read again by a run. The run
// of a window is started by the first event of it and waits for its end.
//
// A request is accepted only after its marks are stored; otherwise HubSpot tells
// it again. Whatever is lost all the same comes with the next scheduled run.
package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret"
)

// Limits of a request (HubSpot's webhooks guide, November 2026): at most 100
// events. An event takes less than 10 kB.
const (
	maxEvents = 100
	maxBody   = 1 << 20
)

// DefaultWindow and MinWindow are how long changes are gathered for one run.
const (
	DefaultWindow = time.Minute
	MinWindow     = 5 * time.Second
)

// knownFor is how long connections and jobs are taken as they were read.
const knownFor = 5 * time.Second

// Handler answers HubSpot's webhooks. The first six fields are required. It is
// used by pointer and may be used at once.
type Handler struct {
	// URL is the address that HubSpot calls, in full: it is part of the signature.
	URL string
	// Secret returns the client secret of the app, which signs. fresh asks for one
	// that is not minutes old.
	Secret      func(ctx context.Context, fresh bool) (secret.Text, error)
	Connections *connection.Store
	Jobs        *job.Store
	Marks       *mark.Store
	Machines    machine.Machines
	// AppID is HubSpot's number of the app; 0 = any app with the secret.
	AppID int64
	// Window is how long changes are gathered for one run, at least MinWindow;
	// 0 = DefaultWindow.
	Window  time.Duration
	Now     func() time.Time // nil = time.Now
	Metrics metric.Sink
	Log     *slog.Logger // nil = nobody
	// Erase asks to erase records that were deleted for privacy from files; nil =
	// nobody does.
	Erase func(ctx context.Context, object string, ids []string) error

	mu      sync.Mutex
	known   known
	started string // the execution that was started last
}

// known is what events are compared with.
type known struct {
	read time.Time
	// portals :: account → its connection's id
	portals map[int64]string
	// jobs :: connection's id and type id → its jobs
	jobs map[[2]string][]listener
}

// listener is a job as far as events matter.
type listener struct {
	id       string
	realTime bool
	// linked are the type ids of objects whose associations are part of the dataset.
	linked []string
}

func (h *Handler) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

// ServeHTTP answers one request: 200 when its marks are stored, 401 if it is not
// signed by HubSpot just now, 403 if it is for other accounts or another app, 400
// if it cannot be read, and 503 if it should be told again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	status, err := h.serve(ctx, r)
	switch {
	case err != nil:
		h.log().ErrorContext(ctx, "webhook failed", "status", status, "kind", fault.KindOf(err), "err", err)
	case status != http.StatusOK:
		h.log().WarnContext(ctx, "webhook refused", "status", status)
	}
	if status != http.StatusOK {
		if status != http.StatusServiceUnavailable {
			h.Metrics.Emit(ctx, metric.WebhookRejections, "", 1)
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Log
}

func (h *Handler) serve(ctx context.Context, r *http.Request) (status int, err error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return http.StatusBadRequest, nil //nolint:nilerr // the sender broke off
	case len(body) > maxBody:
		return http.StatusRequestEntityTooLarge, nil
	}
	ok, err := h.authentic(ctx, r.Header, body)
	switch {
	case err != nil:
		return http.StatusServiceUnavailable, err
	case !ok:
		return http.StatusUnauthorized, nil
	}
	var events []event
	if json.Unmarshal(body, &events) != nil || len(events) > maxEvents { // its error could quote values
		return http.StatusBadRequest, nil //nolint:nilerr // the sender's fault
	}
	status, err = h.take(ctx, events)
	if err != nil {
		return http.StatusServiceUnavailable, err
	}
	return status, nil
}

// authentic checks the signature, with a fresh secret if the one at hand does
// not fit: it may have been exchanged.
func (h *Handler) authentic(ctx context.Context, header http.Header, body []byte) (bool, error) {
	timestamp, signature := header.Get(headerTime), header.Get(headerSignature)
	if signature == "" || !fresh(timestamp, h.now()) {
		return false, nil
	}
	for _, again := range []bool{false, true} {
		s, err := h.Secret(ctx, again)
		if err != nil {
			return false, fmt.Errorf("read client secret: %w", err)
		}
		if s != "" && signed(s.Expose(), http.MethodPost, h.URL, body, timestamp, signature) {
			return true, nil
		}
	}
	return false, nil
}

// take stores the marks of the events and starts the run of the window.
func (h *Handler) take(ctx context.Context, events []event) (status int, err error) {
	known, err := h.look(ctx)
	if err != nil {
		return 0, err
	}
	now := h.now().UTC()
	marks := map[string][]mark.Mark{} // :: type id → marks
	private := map[string][]string{}  // :: type id → records
	names := objects{}
	ours, unknown, lag, realTime := 0, 0, time.Duration(0), false
	for _, e := range events {
		conn, isOurs := known.portals[int64(e.Portal)]
		if !isOurs || h.AppID != 0 && int64(e.App) != h.AppID {
			continue
		}
		ours++
		records, understood := e.records(names)
		if !understood {
			unknown++
		}
		for _, rec := range records {
			if rec.kind == mark.Privacy {
				private[rec.object] = append(private[rec.object], rec.id)
			}
			for _, j := range known.jobs[[2]string{conn, rec.object}] {
				if j.wants(rec) {
					marks[rec.object] = append(marks[rec.object], mark.Mark{Job: j.id, ID: rec.id, Kind: rec.kind, At: now})
					realTime = realTime || j.realTime
				}
			}
		}
		if e.Occurred > 0 {
			lag = max(lag, now.Sub(e.occurred()))
		}
	}
	if ours == 0 && len(events) > 0 {
		return http.StatusForbidden, nil
	}
	for object, some := range marks {
		if err := h.Marks.Put(ctx, object, some); err != nil {
			return 0, err
		}
	}
	for object, ids := range private {
		if h.Erase == nil {
			break
		}
		slices.Sort(ids)
		if err := h.Erase(ctx, object, slices.Compact(ids)); err != nil {
			return 0, err
		}
	}
	h.Metrics.Emit(ctx, metric.WebhookEvents, "", float64(ours))
	h.Metrics.Emit(ctx, metric.WebhookLag, "", lag.Seconds())
	if unknown > 0 || ours < len(events) {
		h.log().InfoContext(ctx, "webhook events passed over", "unknown", unknown, "foreign", len(events)-ours)
	}
	if realTime {
		err = h.start(ctx)
	}
	return http.StatusOK, err
}

// wants reports whether the record matters to the job. A privacy deletion is
// heard by every job, because what is kept of the record must go.
func (l listener) wants(rec touched) bool {
	switch {
	case rec.kind == mark.Privacy:
		return true
	case !l.realTime:
		return false
	}
	// The other direction has a subscription of its own; the far side matters to a
	// job that shows the association.
	return rec.far == "" || slices.Contains(l.linked, rec.far)
}

// start starts the run of the window that is open now: the marks are stored, so
// it sees them when the window closes. It is started once per window; who finds
// it ended by a clock ahead of ours starts the next one.
func (h *Handler) start(ctx context.Context) error {
	window := h.Window
	if window == 0 {
		window = DefaultWindow
	}
	end := h.now().UTC().Truncate(window).Add(window)
	for range 2 {
		name := fmt.Sprintf("marked-%s-%d", end.Format("20060102T150405"), int(window.Seconds()))
		h.mu.Lock()
		begun := h.started == name
		h.mu.Unlock()
		if begun {
			return nil
		}
		input, err := json.Marshal(run.Input{Mode: run.ModeMarked, WaitUntil: end, Cause: Cause})
		if err != nil {
			return fmt.Errorf("encode input: %w", err)
		}
		err = h.Machines.Start(ctx, name, input)
		if err == nil {
			h.mu.Lock()
			h.started = name
			h.mu.Unlock()
			return nil
		}
		if !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("start %s: %w", name, err)
		}
		end = end.Add(window)
	}
	return fault.New(fault.Transient, "The run of this window could not be started.")
}

// Cause is the cause of the runs that webhooks start.
const Cause = "webhook"

// look returns the connections and jobs, as they were a few seconds ago at the
// earliest.
func (h *Handler) look(ctx context.Context) (known, error) {
	h.mu.Lock()
	k := h.known
	h.mu.Unlock()
	if !k.read.IsZero() && h.now().Sub(k.read) < knownFor {
		return k, nil
	}
	k = known{read: h.now(), portals: map[int64]string{}, jobs: map[[2]string][]listener{}}
	connections, err := h.Connections.List(ctx)
	if err != nil {
		return k, err
	}
	for _, c := range connections {
		if c.PortalID != 0 && c.Status != connection.Revoked {
			k.portals[c.PortalID] = c.ID
		}
	}
	jobs, err := h.Jobs.List(ctx)
	if err != nil {
		return k, err
	}
	for _, j := range jobs {
		object, ok := catalog.Find(j.Mapping.Source)
		if !ok {
			continue
		}
		l := listener{id: j.ID, realTime: j.Options.RealTime}
		for _, f := range j.Mapping.Fields {
			if f.Association != nil {
				if far, ok := catalog.Find(f.Association.Object); ok {
					l.linked = append(l.linked, far.TypeID)
				}
			}
		}
		at := [2]string{j.Connection, object.TypeID}
		k.jobs[at] = append(k.jobs[at], l)
	}
	h.mu.Lock()
	h.known = k
	h.mu.Unlock()
	return k, nil
}
