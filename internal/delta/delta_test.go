package delta_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

func newStore(t testing.TB) *delta.Store {
	t.Helper()
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	return &delta.Store{Table: items}
}

func TestWriteClearsOnlyWhatThisJobFilled(t *testing.T) {
	tests := []struct {
		name   string
		filled []string // before
		row    record.Row
		want   map[string]any
		then   []string
	}{
		{"a first value", nil, record.Row{Fields: map[string]any{"A": "x"}}, map[string]any{"A": "x"}, []string{"A"}},
		{"false and zero are values", nil, record.Row{Fields: map[string]any{"A": false, "B": json.Number("0")}}, map[string]any{"A": false, "B": json.Number("0")}, []string{"A", "B"}},
		{"never filled, so what people typed stays", nil, record.Row{Fields: map[string]any{"A": nil}}, map[string]any{}, nil},
		{"filled by us, so it is cleared", []string{"A"}, record.Row{Fields: map[string]any{"A": nil}}, map[string]any{"A": nil}, nil},
		{"keep leaves it alone, and it stays ours", []string{"A"}, record.Row{Fields: map[string]any{"A": nil}, Keep: []string{"A"}}, map[string]any{}, []string{"A"}},
		{"keep of what was never ours", nil, record.Row{Fields: map[string]any{"A": nil}, Keep: []string{"A"}}, map[string]any{}, nil},
		{"null always clears", nil, record.Row{Fields: map[string]any{"A": nil}, Null: []string{"A"}}, map[string]any{"A": nil}, nil},
		{"null clears what was ours", []string{"A"}, record.Row{Fields: map[string]any{"A": nil}, Null: []string{"A"}}, map[string]any{"A": nil}, nil},
		{"a field that the row does not know is not touched", []string{"A", "B"}, record.Row{Fields: map[string]any{"B": "x"}}, map[string]any{"B": "x"}, []string{"A", "B"}},
		{"a value in spite of keep and null", nil, record.Row{Fields: map[string]any{"A": "x", "B": "y"}, Keep: []string{"A"}, Null: []string{"B"}}, map[string]any{"A": "x", "B": "y"}, []string{"A", "B"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, then := delta.Print{Filled: tt.filled}.Write(tt.row)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if !slices.Equal(tt.then, then) {
				t.Errorf("filled %q, want %q", then, tt.then)
			}
		})
	}
}

// Whatever the source does, a field that people filled and the source never did
// keeps its value, a field that the source cleared is null, and one with a value
// has it.
func TestNothingOfOthersIsEverWiped(t *testing.T) {
	names := []string{"A", "B", "C"}
	rapid.Check(t, func(t *rapid.T) {
		target, ours := map[string]any{}, map[string]bool{}
		for _, name := range names {
			target[name] = "typed by people"
		}
		print := delta.Print{}
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			row := record.Row{Fields: map[string]any{}}
			for _, name := range names {
				switch rapid.SampledFrom([]string{"value", "empty", "unknown", "keep"}).Draw(t, name) {
				case "value":
					row.Fields[name] = "from the source"
				case "empty":
					row.Fields[name] = nil
				case "keep":
					row.Fields[name], row.Keep = nil, append(row.Keep, name)
				}
			}
			fields, filled := print.Write(row)
			maps.Copy(target, fields)
			print.Filled = filled
			for _, name := range names {
				value, known := row.Fields[name]
				switch {
				case value != nil:
					ours[name] = true
					if target[name] != value {
						t.Fatalf("%s is %v, want the source's value", name, target[name])
					}
				case known && ours[name] && !slices.Contains(row.Keep, name):
					if target[name] != nil {
						t.Fatalf("%s is %v, want it cleared", name, target[name])
					}
				case !ours[name] && target[name] != "typed by people":
					t.Fatalf("%s is %v, which others filled", name, target[name])
				}
			}
		}
	})
}

func golden() record.Row {
	return record.Row{
		SourceID: "1", Version: 5, Keep: []string{"Zip"}, Source: map[string]*string{"x": nil},
		Fields: map[string]any{"Name": "Müller & <Co>", "Size": json.Number("1.50"), "Live": true, "Tags": []string{"a", "b"}, "Zip": nil},
	}
}

// Stored fingerprints outlive the process: another value would send every row of
// every job once more.
func TestFingerprintNeverChanges(t *testing.T) {
	const want = "di7jLDg31sBo"
	if got := delta.Fingerprint(golden()); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	const key = "AGJHdlV-CJdiCmg2lBN3"
	if got := delta.Identifier([]string{"Email"}, []string{" Sam@acme.example"}); got != key {
		t.Errorf("hash of an identifier %s, want %s", got, key)
	}
}

func TestFingerprintIsThatOfTheStagedRow(t *testing.T) {
	var file bytes.Buffer
	w := record.NewWriter(&file)
	if err := w.Write(golden()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(record.Trailer{Count: 1}); err != nil {
		t.Fatal(err)
	}
	_, err := record.Read(&file, func(r record.Row) error {
		if delta.Fingerprint(r) != delta.Fingerprint(golden()) {
			t.Errorf("the row that was staged differs: %#v", r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFingerprintTellsRowsApart(t *testing.T) {
	same := golden()
	same.SourceID, same.Version, same.Source = "2", 9, nil // not what would be written
	if delta.Fingerprint(same) != delta.Fingerprint(golden()) {
		t.Error("what is not written changes the fingerprint")
	}
	rows := map[string]func(*record.Row){
		"the same":          func(*record.Row) {},
		"another value":     func(r *record.Row) { r.Fields["Name"] = "Muller & <Co>" },
		"another spelling":  func(r *record.Row) { r.Fields["Size"] = json.Number("1.5") },
		"text for a number": func(r *record.Row) { r.Fields["Size"] = "1.50" },
		"text for a bool":   func(r *record.Row) { r.Fields["Live"] = "true" },
		"empty for null":    func(r *record.Row) { r.Fields["Zip"] = "" },
		"no field for null": func(r *record.Row) { delete(r.Fields, "Zip") },
		"another order":     func(r *record.Row) { r.Fields["Tags"] = []string{"b", "a"} },
		"items joined":      func(r *record.Row) { r.Fields["Tags"] = []string{"a,b"} },
		"a list as text":    func(r *record.Row) { r.Fields["Tags"] = `["a","b"]` },
		"not kept":          func(r *record.Row) { r.Keep = nil },
		"null instead":      func(r *record.Row) { r.Keep, r.Null = nil, []string{"Zip"} },
		"one more field":    func(r *record.Row) { r.Fields["Z"] = "z" },
		"names run together": func(r *record.Row) {
			delete(r.Fields, "Live")
			r.Fields["Live\"=true\n\"Name"] = r.Fields["Name"]
			delete(r.Fields, "Name")
		},
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		r := golden()
		rows[name](&r)
		print := delta.Fingerprint(r)
		if other, taken := seen[print]; taken {
			t.Errorf("%q has the fingerprint of %q", name, other)
		}
		seen[print] = name
	}
}

func TestPrintsComeBackAsStored(t *testing.T) {
	s := newStore(t)
	want := map[string]delta.Print{
		"1":  {Hash: "h", Version: 5, GSID: "G", Filled: []string{"A"}, Keys: []string{"k"}, Run: "r1", Outcome: run.Updated},
		"17": {Run: "r1", Outcome: run.Rejected, Code: record.NoMatch, Reason: "R.", Fix: "F."},
	}
	for id, p := range want {
		if err := s.Book("j1").Put(t.Context(), map[string]*delta.Print{id: &p}); err != nil {
			t.Fatal(err)
		}
	}
	for id, p := range want {
		p.Stored = 1
		want[id] = p
	}
	got, err := s.Prints(t.Context(), "j1", []string{"1", "17", "99"})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("prints (-want +got):\n%s%v", diff, err)
	}
	if got, err := s.Prints(t.Context(), "j2", []string{"1"}); err != nil || len(got) != 0 {
		t.Errorf("another job knows %v, %v", got, err)
	}
}

// free is a guard that always holds.
func free() table.Op {
	return table.Op{Verb: table.Check, Item: table.Item{Key: table.Key{Partition: "NONE", Sort: "none"}}, If: table.Absent()}
}

func claim(ctx context.Context, s *delta.Store, source, hash string) error {
	held, err := s.Claims(ctx, "j1", []string{hash})
	if err != nil {
		return err
	}
	if held[hash].Source != "" {
		return fault.New(fault.Conflict, "held")
	}
	return s.Claim(ctx, "j1", free(), map[string]delta.Claim{hash: {Source: source}}, held)
}

func holder(t *testing.T, s *delta.Store, hash string) delta.Claim {
	t.Helper()
	held, err := s.Claims(t.Context(), "j1", []string{hash})
	if err != nil {
		t.Fatal(err)
	}
	return held[hash]
}

func TestOneOfManyClaimsAnIdentifier(t *testing.T) {
	s := newStore(t)
	var won atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			err := s.Claim(t.Context(), "j1", free(), map[string]delta.Claim{"k": {Source: fmt.Sprint(i)}}, nil)
			switch {
			case err == nil:
				won.Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 || holder(t, s, "k").Source == "" {
		t.Errorf("%d claims succeeded, held by %q, want one", won.Load(), holder(t, s, "k").Source)
	}
}

func TestClaimTakesOverOnlyFromTheHolderThatWasSeen(t *testing.T) {
	s := newStore(t)
	if err := claim(t.Context(), s, "1", "k"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]delta.Claim{"k": holder(t, s, "k")}
	if err := s.Claim(t.Context(), "j1", free(), map[string]delta.Claim{"k": {Source: "2"}}, seen); err != nil {
		t.Fatal(err)
	}
	if err := s.Claim(t.Context(), "j1", free(), map[string]delta.Claim{"k": {Source: "3"}}, seen); !fault.Is(err, fault.Conflict) {
		t.Errorf("with what was seen before: %v, want Conflict", err)
	}
	if got := holder(t, s, "k").Source; got != "2" {
		t.Errorf("held by %q, want 2", got)
	}
}

func TestClaimsOfALostLeaseAreNotStored(t *testing.T) {
	s := newStore(t)
	leases := &lease.Store{Table: s.Table}
	l, err := leases.Acquire(t.Context(), "j1#changes", "r1")
	if err != nil {
		t.Fatal(err)
	}
	if err := leases.Release(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	err = s.Claim(t.Context(), "j1", l.Check(), map[string]delta.Claim{"k": {Source: "1"}}, nil)
	if !lease.Lost(err) || holder(t, s, "k").Source != "" {
		t.Errorf("err = %v, held by %q, want a lost lease and nobody", err, holder(t, s, "k").Source)
	}
}

func TestManyClaimsFitIntoSeveralWrites(t *testing.T) {
	s := newStore(t)
	claims := map[string]delta.Claim{}
	for i := range 250 {
		claims[fmt.Sprint("k", i)] = delta.Claim{Source: fmt.Sprint(i)}
	}
	if err := s.Claim(t.Context(), "j1", free(), claims, nil); err != nil {
		t.Fatal(err)
	}
	held, err := s.Claims(t.Context(), "j1", slices.Collect(maps.Keys(claims)))
	if err != nil || len(held) != 250 || held["k249"].Source != "249" {
		t.Errorf("%d claims, %v, want 250", len(held), err)
	}
}

func TestReleaseGivesUpOnlyItsOwnClaim(t *testing.T) {
	s := newStore(t)
	if err := claim(t.Context(), s, "1", "k"); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), "j1", "2", "k"); err != nil || holder(t, s, "k").Source != "1" {
		t.Errorf("by another record: %v, held by %q, want 1", err, holder(t, s, "k").Source)
	}
	for range 2 {
		if err := s.Release(t.Context(), "j1", "1", "k"); err != nil || holder(t, s, "k").Source != "" {
			t.Errorf("by its holder: %v, held by %q, want nobody", err, holder(t, s, "k").Source)
		}
	}
}

// racing lets something happen just before a delete.
type racing struct {
	table.Table
	before func()
}

func (r racing) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	r.before()
	return r.Table.Delete(ctx, key, cond)
}

func TestReleaseLeavesAClaimThatIsTakenMeanwhile(t *testing.T) {
	s := newStore(t)
	if err := claim(t.Context(), s, "1", "k"); err != nil {
		t.Fatal(err)
	}
	late := &delta.Store{Table: racing{s.Table, func() {
		seen := map[string]delta.Claim{"k": holder(t, s, "k")}
		if err := s.Claim(t.Context(), "j1", free(), map[string]delta.Claim{"k": {Source: "2"}}, seen); err != nil {
			t.Error(err)
		}
	}}}
	if err := late.Release(t.Context(), "j1", "1", "k"); err != nil || holder(t, s, "k").Source != "2" {
		t.Errorf("release: %v, held by %q, want 2 and no error", err, holder(t, s, "k").Source)
	}
}
