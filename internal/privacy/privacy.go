// Package privacy leaves no value of records that were deleted for privacy in what
// runs have stored: staged records and rows, rejects, and lines of error files. What
// is remembered of the records themselves is removed by the run that settles their
// deletion.
//
// A request is kept until no run is open that may have read the record before.
package privacy

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/table"
)

// Eraser erases records from files. All fields but the last are required.
type Eraser struct {
	Table   table.Table
	Bucket  blob.Bucket
	Runs    *run.Store
	Staging *staging.Store
	Now     func() time.Time // nil = time.Now
}

const partition = "ERASE"

// keepRequests bounds how long a request waits for open runs; no run is open so long.
const keepRequests = 30 * 24 * time.Hour

// request is one record to erase.
type request struct {
	Object string    `json:"object"` // type id
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
}

func (e *Eraser) now() time.Time {
	if e.Now == nil {
		return time.Now()
	}
	return e.Now()
}

// Ask stores that records of an object are to be erased. Twice is once.
func (e *Eraser) Ask(ctx context.Context, object string, ids []string) error {
	items := make([]table.Item, len(ids))
	for i, id := range ids {
		items[i] = table.New(table.Key{Partition: partition, Sort: object + "#" + id}, request{Object: object, ID: id, At: e.now().UTC()})
		items[i].Expires = e.now().Add(keepRequests).Truncate(time.Second)
	}
	if err := e.Table.PutMany(ctx, items); err != nil {
		return fmt.Errorf("ask to erase %d records: %w", len(ids), err)
	}
	return nil
}

// All erases what was asked for. A request stays while a run is open that began
// before it; then the next call erases again.
func (e *Eraser) All(ctx context.Context) error {
	byObject := map[string]map[string]bool{}
	var requests []request
	err := table.All(ctx, e.Table, partition, table.Range{}, func(it table.Item) error {
		var r request
		if err := json.Unmarshal(it.Doc, &r); err != nil {
			return fmt.Errorf("decode request %s: %w", it.Sort, err)
		}
		if byObject[r.Object] == nil {
			byObject[r.Object] = map[string]bool{}
		}
		byObject[r.Object][r.ID] = true
		requests = append(requests, r)
		return nil
	})
	if err != nil || len(requests) == 0 {
		return err
	}
	open, err := e.staged(ctx, byObject)
	if err != nil {
		return err
	}
	if err := e.errorFiles(ctx, byObject); err != nil {
		return err
	}
	for _, r := range requests {
		if began, waits := open[r.Object]; waits && !began.After(r.At) {
			continue
		}
		if err := e.Table.Delete(ctx, table.Key{Partition: partition, Sort: r.Object + "#" + r.ID}, table.Condition{}); err != nil {
			return fmt.Errorf("close request of %s: %w", r.Object, err)
		}
	}
	return nil
}

// staged erases records from what closed runs have staged and rejected. It returns when the
// oldest open run of an object began.
func (e *Eraser) staged(ctx context.Context, ids map[string]map[string]bool) (map[string]time.Time, error) {
	files, err := e.Bucket.List(ctx, "runs/")
	if err != nil {
		return nil, err
	}
	open := map[string]time.Time{}
	for _, f := range files {
		text, isPlan := strings.CutSuffix(strings.TrimPrefix(f.Name, "runs/"), "/plan.json")
		if !isPlan {
			continue
		}
		id := run.ID(text)
		plan, err := e.Staging.Plan(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		object := plan.Query.Object
		if len(ids[object]) == 0 {
			continue
		}
		r, err := e.Runs.Get(ctx, id)
		if err == nil && !r.Status.Closed() {
			if began, known := open[object]; !known || plan.Now.Before(began) {
				open[object] = plan.Now
			}
			continue
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if err := e.Staging.Erase(ctx, id, ids[object]); err != nil {
			return nil, err
		}
		if err := e.Runs.EraseRejects(ctx, id, ids[object]); err != nil {
			return nil, err
		}
	}
	return open, nil
}

// errorFiles takes the lines of records out of error files. A line belongs to a
// record if its link leads to it.
func (e *Eraser) errorFiles(ctx context.Context, ids map[string]map[string]bool) error {
	files, err := e.Bucket.List(ctx, "errors/")
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := e.errorFile(ctx, f.Name, ids); err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("erase lines of %s: %w", f.Name, err)
		}
	}
	return nil
}

// bom stands at the beginning of error files, see finish.
const bom = "\uFEFF"

func (e *Eraser) errorFile(ctx context.Context, name string, ids map[string]map[string]bool) error {
	f, err := e.Bucket.Open(ctx, name)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	body, marked := bytes.CutPrefix(text, []byte(bom))
	in := csv.NewReader(bytes.NewReader(body))
	lines, err := in.ReadAll()
	if err != nil {
		return err
	}
	kept := lines[:0:0]
	for i, line := range lines {
		if i == 0 || !about(line, ids) {
			kept = append(kept, line)
		}
	}
	if len(kept) == len(lines) {
		return nil
	}
	if err := e.Bucket.Delete(ctx, name); err != nil {
		return err
	}
	return e.Bucket.Create(ctx, name, func(w io.Writer) error {
		if marked {
			if _, err := io.WriteString(w, bom); err != nil {
				return err
			}
		}
		out := csv.NewWriter(w)
		out.UseCRLF = true
		return out.WriteAll(kept)
	})
}

// about reports whether a line is about one of the records: its second cell is the
// link to …/record/TYPE/ID.
func about(line []string, ids map[string]map[string]bool) bool {
	if len(line) < 2 {
		return false
	}
	_, record, ok := strings.Cut(line[1], "/record/")
	object, id, _ := strings.Cut(record, "/")
	return ok && ids[object][id]
}
