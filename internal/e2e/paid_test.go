package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/machine/localmachine"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/tabletest"
	"hubspotconnector/statemachines"
)

// List prices of us-east-1, November 2026, in dollars.
const (
	perTransition  = 0.025 / 1e3
	perInvocation  = 0.20 / 1e6
	perGBSecond    = 0.0000133334 // arm64
	perWriteUnit   = 0.625 / 1e6
	perReadUnit    = 0.125 / 1e6
	perFileWritten = 0.005 / 1e3
	perFileRead    = 0.0004 / 1e3
)

// How long calls take within a region. Vendors' calls take what the simulators take.
const (
	tableTakes = 5 * time.Millisecond
	fileTakes  = 40 * time.Millisecond
	together   = 16 // writes of a PutMany
)

// recordTakes is what a record takes of a whole processor, in the steps that do
// something with each, and rowTakes what upsert takes to read one of its part's rows,
// in every call (BenchmarkMemory, BenchmarkReadRow).
var recordTakes = map[string]time.Duration{
	"extract": 25 * time.Microsecond, "transform": 40 * time.Microsecond, "upsert": 110 * time.Microsecond,
}

const rowTakes = 10 * time.Microsecond

// processor is the memory, in MB, with which a function has a whole processor (AWS
// Lambda developer guide, "Configure Lambda function memory", November 2026).
const processor = 1769

// charges are what AWS would charge for.
type charges struct {
	transitions, invocations            int64
	billed                              map[string]time.Duration // :: function → time
	gb                                  map[string]float64       // :: function → its memory
	readUnits, writeUnits, written, got int64
}

func (c charges) gbSeconds() (sum float64) {
	for function, d := range c.billed {
		sum += c.gb[function] * d.Seconds()
	}
	return sum
}

func (c charges) dollars() float64 {
	return perTransition*float64(c.transitions) + perInvocation*float64(c.invocations) + perGBSecond*c.gbSeconds() +
		perWriteUnit*float64(c.writeUnits) + perReadUnit*float64(c.readUnits) + perFileWritten*float64(c.written) + perFileRead*float64(c.got)
}

// bill gathers charges. It is used at once.
type bill struct {
	mu sync.Mutex
	charges
}

// took is the time of calls within the region that a function has made.
type took struct {
	mu sync.Mutex
	d  time.Duration
}

type tookKey struct{}

// note adds to the time of the function that the context belongs to. The time passes
// when the function's work is done: callers may hold locks, and virtual time waits
// for those.
func note(ctx context.Context, d time.Duration) {
	if t, ok := ctx.Value(tookKey{}).(*took); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.d += d
	}
}

// slowTable takes its time.
type slowTable struct{ table.Table }

func (s slowTable) Get(ctx context.Context, key table.Key) (table.Item, error) {
	note(ctx, tableTakes)
	return s.Table.Get(ctx, key)
}

func (s slowTable) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	note(ctx, tableTakes*time.Duration(len(keys)/100+1))
	return s.Table.GetMany(ctx, keys)
}

func (s slowTable) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	note(ctx, tableTakes)
	return s.Table.Put(ctx, item, cond)
}

func (s slowTable) PutMany(ctx context.Context, items []table.Item) error {
	note(ctx, tableTakes*time.Duration(len(items)/together+1))
	return s.Table.PutMany(ctx, items)
}

func (s slowTable) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	note(ctx, tableTakes)
	return s.Table.Delete(ctx, key, cond)
}

func (s slowTable) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	note(ctx, tableTakes)
	return s.Table.Query(ctx, partition, r, limit, cursor, descending)
}

func (s slowTable) Write(ctx context.Context, ops []table.Op) error {
	note(ctx, 4*tableTakes) // a transaction
	return s.Table.Write(ctx, ops)
}

// countedBucket counts files, and takes its time.
type countedBucket struct {
	blob.Bucket
	bill *bill
}

func (c countedBucket) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	note(ctx, fileTakes)
	c.bill.mu.Lock()
	c.bill.written++
	c.bill.mu.Unlock()
	return c.Bucket.Create(ctx, name, write)
}

func (c countedBucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	note(ctx, fileTakes)
	c.bill.mu.Lock()
	c.bill.got++
	c.bill.mu.Unlock()
	return c.Bucket.Open(ctx, name)
}

// paid is the system over counting ports.
type paid struct {
	*connector.Connector
	machines *localmachine.Machines
	source   *hubspotsim.Sim
	portal   *hubspotsim.Portal
	target   *gainsightsim.Sim
	meter    *tabletest.Meter
	bill     *bill
	memory   map[string]int // :: function → MB, as the template says
	// runs and files are the same storage, where nothing is counted.
	runs  *run.Store
	files *staging.Store
}

// between is a transport before a simulator's own.
type between func(http.RoundTripper) http.RoundTripper

// newPaid returns the system between both simulators with their real limits. With
// others between, there are no limits, and calls take no time.
func newPaid(t testing.TB, source, target between) *paid {
	t.Helper()
	const back = "http://localhost:8976/oauth/callback"
	p := &paid{bill: &bill{}, memory: memories(t)}
	from, to := hubspotsim.Options{Seed: 1, AutoApprove: true, Latency: 300 * time.Millisecond}, gainsightsim.Options{Seed: 1, AccessKey: accessKey, Latency: 300 * time.Millisecond}
	limits := connector.Limits{}
	if source != nil {
		from.Latency, from.Limits.Off, to.Latency, to.Limits.Off = 0, true, 0, true
		many := budget.Window{Calls: 1e6, Per: time.Second, Fixed: true}
		limits = connector.Limits{HubSpot: many, HubSpotSearch: many, Gainsight: many, GainsightDay: many}
	}
	p.source, p.target = hubspotsim.New(from), gainsightsim.New(to)
	p.source.AddApp(clientID, clientSecret, []string{back})
	p.portal = p.source.AddPortal(portalID, "customer.example")
	p.target.Prepare(portalID)
	ports := p.storage(t)
	ports.HubSpotHTTP, ports.GainsightHTTP = &http.Client{Transport: p.source.Transport()}, &http.Client{Transport: p.target.Transport()}
	if source != nil {
		ports.HubSpotHTTP.Transport, ports.GainsightHTTP.Transport = source(ports.HubSpotHTTP.Transport), target(ports.GainsightHTTP.Transport)
	}
	functions := map[string]asl.Handler{}
	var err error
	if p.machines, err = localmachine.New(statemachines.Files, localmachine.Options{Functions: functions, Ended: p.ended}); err != nil {
		t.Fatal(err)
	}
	ports.Machines = p.machines
	p.Connector = connector.New(connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: clientID, ClientSecret: clientSecret, RedirectURL: back,
			APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight: gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: accessKey},
		Limits:    limits,
	}, ports)
	for name, task := range p.Tasks(slog.New(slog.DiscardHandler)) {
		functions[name] = p.function(name, task)
	}
	p.connect(t)
	return p
}

// storage opens the ports that keep something.
func (p *paid) storage(t testing.TB) connector.Ports {
	t.Helper()
	dir := t.TempDir()
	items, err := bolttable.Open(filepath.Join(dir, "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	files, err := dirblob.Open(filepath.Join(dir, "files"), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	p.meter = &tabletest.Meter{Table: items}
	p.runs, p.files = &run.Store{Table: items}, &staging.Store{Bucket: files}
	return connector.Ports{
		Table: slowTable{p.meter}, Bucket: countedBucket{files, p.bill}, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(dir, "mail")},
		NewID: func() string { return ulid.Make().String() },
	}
}

// memories reads the functions' memory from the template. :: function → MB
func memories(t testing.TB) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(awstest.Root(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	function := regexp.MustCompile(`FunctionName: !Sub "\$\{AWS::StackName\}-(\w+)"\n(?: +Description: .*\n)? +MemorySize: (\d+)\n`)
	for _, m := range function.FindAllStringSubmatch(string(text), -1) {
		if found[m[1]], err = strconv.Atoi(m[2]); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// ended counts transitions: one to each state, those within a Map included, and one
// to the end.
func (p *paid) ended(_ string, e *asl.Execution) {
	p.bill.mu.Lock()
	defer p.bill.mu.Unlock()
	p.bill.transitions += int64(len(e.Path())) + 1
}

// function bills a function for the time that it takes: for calls, and for its share
// of a processor. An error costs a transition, as it is tried again.
func (p *paid) function(name string, task serve.Handler) asl.Handler {
	return func(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
		began, calls := time.Now(), &took{}
		quiet := context.WithoutCancel(ctx)
		was := p.at(quiet, name, payload)
		answer, err := task(context.WithValue(ctx, tookKey{}, calls), payload)
		is := p.at(quiet, name, payload)
		work := recordTakes[name]*time.Duration(is.records-was.records) + rowTakes*time.Duration(is.rows)
		time.Sleep(calls.d + work*processor/time.Duration(p.memory[name]))
		p.bill.mu.Lock()
		defer p.bill.mu.Unlock()
		p.bill.invocations++
		p.bill.billed[name] += time.Since(began)
		if err != nil {
			p.bill.transitions++
			name, cause := serve.Failure(err)
			return nil, &asl.Error{Name: name, Cause: cause}
		}
		return answer, nil
	}
}

// position is how far a step has come: the records that it has handled, and the rows
// that it reads whenever it is called.
type position struct{ records, rows int }

func (p *paid) at(ctx context.Context, function string, payload json.RawMessage) (at position) {
	var in struct {
		Run  run.ID `json:"run"`
		Part int    `json:"part"`
		Pass int    `json:"pass"`
	}
	if json.Unmarshal(payload, &in) != nil {
		return at
	}
	switch function {
	case "extract":
		x, _ := p.runs.Extraction(ctx, in.Run)
		at.records = x.Count
	case "transform":
		if there, _ := p.files.HasRows(ctx, in.Run, in.Part, in.Pass); there {
			part, _ := p.files.PartTrailer(ctx, in.Run, in.Part)
			at.records = part.Count
		}
	case "upsert":
		settled, _ := p.runs.Part(ctx, in.Run, in.Part)
		part, _ := p.files.PartTrailer(ctx, in.Run, in.Part)
		at = position{settled.At, part.Count}
	}
	return at
}

// inserted fails the test if an execution did not insert so many records.
func (p *paid) inserted(t *testing.T, name string, want int) {
	t.Helper()
	got := 0
	for n := 1; ; n++ {
		round, err := p.runs.Round(t.Context(), name, n)
		if fault.Is(err, fault.NotFound) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.runs.Get(t.Context(), round.Jobs[0])
		if err != nil {
			t.Fatal(err)
		}
		got += r.Counts.Inserted
	}
	if got != want {
		t.Fatalf("%s inserted %d records, want %d", name, got, want)
	}
}

func (p *paid) connect(t testing.TB) {
	t.Helper()
	c, err := p.Connections.Create(t.Context(), "HubSpot", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	page, err := p.Flow.Begin(t.Context(), c.ID, "e2e")
	if err != nil {
		t.Fatal(err)
	}
	back, err := p.source.Consent(t.Context(), page)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Flow.Callback(t.Context(), back.Get("code"), back.Get("state"), ""); err != nil {
		t.Fatal(err)
	}
}

// run runs a job and returns what it cost, for so many records.
func (p *paid) run(t *testing.T, name, job string, records int) charges {
	t.Helper()
	gb := map[string]float64{}
	for function, mb := range p.memory {
		gb[function] = float64(mb) / 1024
	}
	p.bill.mu.Lock()
	p.bill.charges = charges{billed: map[string]time.Duration{}, gb: gb}
	p.bill.mu.Unlock()
	reads, writes := p.meter.Units()
	if err := p.machines.Start(t.Context(), name, json.RawMessage(fmt.Sprintf(`{"job":%q}`, job))); err != nil {
		t.Fatal(err)
	}
	e, err := p.machines.Wait(t.Context(), name)
	if err != nil || e.Status != machine.Succeeded {
		t.Fatalf("%s: %s %s, %v", name, e.Status, e.Cause, err)
	}
	afterReads, afterWrites := p.meter.Units()
	p.inserted(t, name, records)
	p.bill.mu.Lock()
	defer p.bill.mu.Unlock()
	p.bill.readUnits, p.bill.writeUnits = afterReads-reads, afterWrites-writes
	return p.bill.charges
}
