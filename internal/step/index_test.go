package step_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

// many is a target of many rows that grants some reads, each of which takes time.
type many struct {
	step.Reader
	t      *testing.T
	rows   int
	grants int // reads until it is throttled
	err    error
	slow   time.Duration
	reads  int
}

func gsid(n int) string { return fmt.Sprintf("1P%034d", n) }

func (m *many) Scan(_ context.Context, _ string, _ []string, after string, limit int) ([]map[string]any, error) {
	if m.grants == 0 {
		return nil, m.err
	}
	m.grants--
	m.reads++
	time.Sleep(m.slow)
	var from int
	if after != "" {
		if _, err := fmt.Sscanf(after, "1P%d", &from); err != nil {
			m.t.Errorf("asked for rows behind %q", after)
		}
	}
	var rows []map[string]any
	for n := from + 1; n <= min(m.rows, from+limit); n++ {
		rows = append(rows, map[string]any{"Gsid": gsid(n), "Name": fmt.Sprint("N", n)})
	}
	return rows, nil
}

func begun(t *testing.T) staging.Begun {
	t.Helper()
	bucket, err := dirblob.Open(t.TempDir(), dirblob.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return staging.Begun{Store: &staging.Store{Bucket: bucket}, Run: "r1", Index: "target-Name"}
}

// An object that takes more reads than are granted at once is read in several
// calls, no page twice.
func TestFillGoesOnWhereQuotaEnded(t *testing.T) {
	m := &many{t: t, rows: 23_000, err: fault.New(fault.Throttled, "Spent.")} // 5 pages
	keep := begun(t)
	for call := 1; ; call++ {
		m.grants = 2
		x, err := step.Fill(t.Context(), m, keep, "company", []string{"Name"})
		if call < 3 {
			if !fault.Is(err, fault.Throttled) || x != nil {
				t.Fatalf("call %d: %v, want Throttled", call, err)
			}
			continue
		}
		if err != nil || m.reads != 5 {
			t.Fatalf("%v after %d reads, want all rows after 5", err, m.reads)
		}
		for _, n := range []int{1, 5000, 5001, 10_000, 10_001, 20_000, 20_001, 23_000} {
			if got := x.Find([]string{fmt.Sprint("n", n)}).GSIDs; len(got) != 1 || got[0] != gsid(n) {
				t.Errorf("N%d: found %v", n, got)
			}
		}
		return
	}
}

func TestFillKeepsWhatItReadBeforeACallFailed(t *testing.T) {
	for kind, reads := range map[fault.Kind]int{fault.Transient: 3, fault.Invalid: 4} {
		t.Run(string(kind), func(t *testing.T) {
			m := &many{t: t, rows: 12_000, grants: 1, err: fault.New(kind, "No.")}
			keep := begun(t)
			if _, err := step.Fill(t.Context(), m, keep, "company", []string{"Name"}); !fault.Is(err, kind) {
				t.Fatalf("%v, want %s", err, kind)
			}
			m.grants = 10
			if _, err := step.Fill(t.Context(), m, keep, "company", []string{"Name"}); err != nil || m.reads != reads {
				t.Errorf("%v after %d reads, want %d", err, m.reads, reads)
			}
		})
	}
}

func TestFillStopsInTimeAndGoesOnInTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &many{t: t, rows: 200_000, grants: 100, slow: 40 * time.Second}
		keep := begun(t)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // of which a minute is kept free
		defer cancel()
		if _, err := step.Fill(ctx, m, keep, "company", []string{"Name"}); !fault.Is(err, fault.Throttled) || m.reads != 22 {
			t.Errorf("%v after %d reads, want Throttled after the 22 that begin in time", err, m.reads)
		}
	})
}

func TestFillWithoutAPlaceToKeepItReadsAll(t *testing.T) {
	m := &many{t: t, rows: 6000, grants: 10}
	x, err := step.Fill(t.Context(), m, nil, "company", []string{"Name"})
	if err != nil || m.reads != 2 || len(x.Find([]string{"N6000"}).GSIDs) != 1 {
		t.Errorf("%v after %d reads", err, m.reads)
	}
}
