package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"hubspotconnector/internal/asl"
	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/machine"
	"hubspotconnector/internal/machine/localmachine"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/tabletest"
	"hubspotconnector/statemachines"
)

var update = flag.Bool("update", false, "write the table of costs in README.md anew")

const (
	costBegin = "<!-- cost: written by go test ./internal/e2e -run Cost -update -->\n"
	costEnd   = "<!-- end of cost -->\n"
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

// How long calls take within a region, and what a record costs a function of
// 512 MB in time of its processor. Vendors' calls take what the simulators take.
const (
	tableTakes  = 5 * time.Millisecond
	fileTakes   = 40 * time.Millisecond
	recordTakes = 500 * time.Microsecond
	memory      = 0.5 // GB
)

// charges are what AWS would charge for.
type charges struct {
	transitions, invocations            int64
	billed                              time.Duration
	readUnits, writeUnits, written, got int64
}

// bill gathers charges. It is used at once.
type bill struct {
	mu sync.Mutex
	charges
}

func (b *bill) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.charges = charges{}
}

func (b *bill) copy() charges {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.charges
}

func (b charges) dollars() float64 {
	return perTransition*float64(b.transitions) + perInvocation*float64(b.invocations) + perGBSecond*memory*b.billed.Seconds() +
		perWriteUnit*float64(b.writeUnits) + perReadUnit*float64(b.readUnits) + perFileWritten*float64(b.written) + perFileRead*float64(b.got)
}

// paid is the system over counting ports, in virtual time.
type paid struct {
	*connector.Connector
	machines *localmachine.Machines
	source   *hubspotsim.Sim
	portal   *hubspotsim.Portal
	target   *gainsightsim.Sim
	meter    *tabletest.Meter
	bill     *bill
}

// took adds to the time for which functions are billed. The time does not pass:
// callers may hold locks, and virtual time waits for those.
func (b *bill) took(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.billed += d
}

// slowTable takes its time.
type slowTable struct {
	table.Table
	bill *bill
}

func (s slowTable) Get(ctx context.Context, key table.Key) (table.Item, error) {
	s.bill.took(tableTakes)
	return s.Table.Get(ctx, key)
}

func (s slowTable) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	s.bill.took(tableTakes * time.Duration(len(keys)/100+1))
	return s.Table.GetMany(ctx, keys)
}

func (s slowTable) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	s.bill.took(tableTakes)
	return s.Table.Put(ctx, item, cond)
}

func (s slowTable) Write(ctx context.Context, ops []table.Op) error {
	s.bill.took(4 * tableTakes) // a transaction
	return s.Table.Write(ctx, ops)
}

// countedBucket counts files, and takes its time.
type countedBucket struct {
	blob.Bucket
	bill *bill
}

func (c countedBucket) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	c.bill.took(fileTakes)
	c.bill.mu.Lock()
	c.bill.written++
	c.bill.mu.Unlock()
	return c.Bucket.Create(ctx, name, write)
}

func (c countedBucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	c.bill.took(fileTakes)
	c.bill.mu.Lock()
	c.bill.got++
	c.bill.mu.Unlock()
	return c.Bucket.Open(ctx, name)
}

func newPaid(t *testing.T) *paid {
	t.Helper()
	const back = "http://localhost:8976/oauth/callback"
	p := &paid{bill: &bill{}}
	p.source = hubspotsim.New(hubspotsim.Options{Seed: 1, AutoApprove: true, Latency: 300 * time.Millisecond})
	p.source.AddApp(clientID, clientSecret, []string{back})
	p.portal = p.source.AddPortal(portalID, "customer.example")
	p.target = gainsightsim.New(gainsightsim.Options{Seed: 1, AccessKey: accessKey, Latency: 300 * time.Millisecond})
	p.target.Prepare(portalID)
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
	ports := connector.Ports{
		Table: slowTable{p.meter, p.bill}, Bucket: countedBucket{files, p.bill}, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(dir, "mail")},
		HubSpotHTTP: &http.Client{Transport: p.source.Transport()}, GainsightHTTP: &http.Client{Transport: p.target.Transport()},
		NewID: func() string { return ulid.Make().String() },
	}
	functions := map[string]asl.Handler{}
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
	}, ports)
	for name, task := range p.Tasks(slog.New(slog.DiscardHandler)) {
		functions[name] = p.function(task)
	}
	p.connect(t)
	return p
}

func (p *paid) ended(_ string, e *asl.Execution) {
	p.bill.mu.Lock()
	defer p.bill.mu.Unlock()
	p.bill.transitions += int64(len(e.Path())) + 1 // and the start
}

func (p *paid) function(task serve.Handler) asl.Handler {
	return func(ctx context.Context, payload json.RawMessage) (json.RawMessage, error) {
		began := time.Now()
		answer, err := task(ctx, payload)
		p.bill.mu.Lock()
		p.bill.invocations++
		p.bill.billed += time.Since(began)
		p.bill.mu.Unlock()
		if err != nil {
			name, cause := serve.Failure(err)
			return nil, &asl.Error{Name: name, Cause: cause}
		}
		return answer, nil
	}
}

func (p *paid) connect(t *testing.T) {
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
	p.bill.reset()
	reads, writes := p.meter.Units()
	if err := p.machines.Start(t.Context(), name, json.RawMessage(fmt.Sprintf(`{"job":%q}`, job))); err != nil {
		t.Fatal(err)
	}
	e, err := p.machines.Wait(t.Context(), name)
	if err != nil || e.Status != machine.Succeeded {
		t.Fatalf("%s: %s %s, %v", name, e.Status, e.Cause, err)
	}
	round, err := p.Runs.Round(t.Context(), name, 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Runs.Get(t.Context(), round.Jobs[0])
	if err != nil || r.Counts.Extracted != records {
		t.Fatalf("%s: %+v %s, %v; want %d records", name, r.Counts, r.Reason, err, records)
	}
	afterReads, afterWrites := p.meter.Units()
	b := p.bill.copy()
	b.readUnits, b.writeUnits = afterReads-reads, afterWrites-writes
	b.billed += recordTakes * time.Duration(records)
	return b
}

// TestCostIsWhatReadmeSays counts, in virtual time and at Gainsight's real
// limits, what a first load costs on AWS.
func TestCostIsWhatReadmeSays(t *testing.T) {
	const companies, people = 50_000, 5_000
	var table strings.Builder
	table.WriteString("| counted for a first load of | transitions | invocations | GB seconds | write units | read units | files written and read | dollars per million |\n|---|---|---|---|---|---|---|---|\n")
	synctest.Test(t, func(t *testing.T) {
		p := newPaid(t)
		first := ""
		for i := range companies {
			id := p.portal.Create("companies", map[string]string{"name": fmt.Sprint("Company ", i)})
			if first == "" {
				first = id
			}
		}
		time.Sleep(time.Hour)
		row(&table, "companies", companies, p.run(t, "companies", "Company Sync_HubSpot", companies))
		for i := range people {
			id := p.portal.Create("contacts", map[string]string{"email": fmt.Sprintf("p%d@example.com", i), "firstname": "F", "lastname": "L"})
			p.portal.Associate("contacts", id, "companies", first, hubspotsim.Primary)
		}
		time.Sleep(time.Hour)
		row(&table, "people", people, p.run(t, "people", "Company Person Sync_HubSpot", people))
		p.machines.Close()
	})
	path := filepath.Join(awstest.Root(t), "README.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), costBegin)
	was, after, okEnd := strings.Cut(rest, costEnd)
	if !ok || !okEnd {
		t.Fatal("README.md has no place for the table of costs")
	}
	if !*update {
		if !alike(was, table.String()) {
			t.Errorf("the table of costs in README.md is old:\n%s\ngo test ./internal/e2e -run Cost -update writes\n%s", was, table.String())
		}
		return
	}
	if err := os.WriteFile(path, []byte(before+costBegin+table.String()+costEnd+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// alike reports whether two tables differ by no more than a half in any
// number: some depend on the order in which things happen at once.
func alike(a, b string) bool {
	number := regexp.MustCompile(`[0-9.]+`)
	if number.ReplaceAllString(a, "") != number.ReplaceAllString(b, "") {
		return false
	}
	other := number.FindAllString(b, -1)
	for i, text := range number.FindAllString(a, -1) {
		x, errX := strconv.ParseFloat(text, 64)
		y, errY := strconv.ParseFloat(other[i], 64)
		if errX != nil || errY != nil || math.Abs(x-y) > 0.5*max(x, y)+1 {
			return false
		}
	}
	return true
}

// row writes two digits of what was counted.
func row(b *strings.Builder, what string, records int, c charges) {
	round := func(n int64) string { return fmt.Sprintf("%.0f", two(float64(n))) }
	fmt.Fprintf(b, "| %d %s | %s | %s | %.0f | %s | %s | %s and %s | %.2g |\n", records, what, round(c.transitions), round(c.invocations),
		two(c.billed.Seconds()*memory), round(c.writeUnits), round(c.readUnits), round(c.written), round(c.got), c.dollars()/float64(records)*1e6)
}

// two keeps two digits.
func two(x float64) float64 {
	var y float64
	_, _ = fmt.Sscan(fmt.Sprintf("%.1e", x), &y)
	return y
}
