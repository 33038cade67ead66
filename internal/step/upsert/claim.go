package upsert

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mapping/lookup"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
)

// identifiers returns the upsert keys of the job: each is a list of fields that
// together tell a row. A people job has one key per resolution key.
func (w *work) identifiers() [][]string {
	if w.object == people {
		keys := make([][]string, len(w.plan.ResolutionKeys))
		for i, field := range w.plan.ResolutionKeys {
			keys[i] = []string{field}
		}
		return keys
	}
	var key []string
	for _, d := range w.plan.Job.Mapping.Direct {
		if d.Identifier {
			key = append(key, d.To)
		}
	}
	return [][]string{key}
}

// values returns the row's values of one key, nil if one of them is empty.
func (w *work) values(row record.Row, key []string) []string {
	values := make([]string, len(key))
	for i, field := range key {
		if w.object == people {
			field = "Person::" + field
		}
		values[i] = step.Text(row.Fields[field])
		if strings.TrimSpace(values[i]) == "" {
			return nil
		}
	}
	return values
}

// claimTries bounds how often a lost race for an identifier is looked at again.
const claimTries = 5

// claim makes each row the holder of its identifiers, and rejects those whose
// identifier another record holds. It returns the rows that go on. Identifiers that
// the source itself keeps unique need no claims.
func (w *work) claim(ctx context.Context, rows []*item) ([]*item, error) {
	if w.plan.Unique {
		return rows, nil
	}
	for range claimTries {
		free, err := w.tryClaim(ctx, rows)
		if err == nil || !fault.Is(err, fault.Conflict) {
			return free, err
		}
		if err := w.Runs.Leases.Renew(ctx, w.run.Lease()); err != nil {
			return nil, err // the guard failed, not a claim
		}
		if w.shared { // the other lane may have delivered the record
			return nil, errSwapped
		}
	}
	return nil, fault.New(fault.Transient, "Identifiers changed hands too often; the rows are tried again.")
}

func (w *work) tryClaim(ctx context.Context, rows []*item) ([]*item, error) {
	var hashes []string
	for _, it := range rows {
		it.keys = nil
		for _, key := range w.identifiers() {
			if values := w.values(it.row(), key); values != nil {
				it.keys = append(it.keys, delta.Identifier(key, values))
			}
		}
		hashes = append(hashes, it.keys...)
	}
	held, err := w.Delta.Claims(ctx, w.plan.Job.ID, hashes)
	if err != nil {
		return nil, err
	}
	holders, err := w.holders(ctx, rows, held)
	if err != nil {
		return nil, err
	}
	var free []*item
	wanted := map[string]delta.Claim{}
	for _, it := range rows {
		other := w.rival(it, held, holders, wanted)
		if it.entry.Archived { // claims nothing: it is never written under its identifier
			if other != "" { // which belongs to somebody else by now
				it.outcome, it.changed = run.Filtered, it.was.Outcome != run.Filtered
				continue
			}
			free = append(free, it)
			continue
		}
		if other != "" {
			it.deny(duplicate(other))
			continue
		}
		for _, key := range it.keys {
			if held[key].Source != it.id {
				wanted[key] = delta.Claim{Source: it.id}
			} else if it.was.Stored == 0 { // of a run that died before it noted more
				it.tried = true
			}
		}
		free = append(free, it)
	}
	if err := w.Delta.Claim(ctx, w.plan.Job.ID, w.run.Lease().Check(), wanted, held); err != nil {
		for _, it := range rows {
			it.outcome, it.reject, it.changed = "", nil, false
		}
		return nil, err
	}
	return free, nil
}

// holders returns what is known of the records that hold claims against rows.
func (w *work) holders(ctx context.Context, rows []*item, held map[string]delta.Claim) (map[string]delta.Print, error) {
	own := map[string]string{}
	for _, it := range rows {
		for _, key := range it.keys {
			own[key] = it.id
		}
	}
	var others []string
	for key, c := range held {
		if c.Source != own[key] {
			others = append(others, c.Source)
		}
	}
	if len(others) == 0 {
		return nil, nil //nolint:nilnil // nobody to ask about
	}
	return w.book.Prints(ctx, others)
}

// rival returns the other record that holds one of the item's identifiers, "" if
// none does. A holder that was delivered under other identifiers since has moved
// on, and one that was merged into this record or is archived is gone: their
// claims are free.
func (w *work) rival(it *item, held map[string]delta.Claim, holders map[string]delta.Print, wanted map[string]delta.Claim) string {
	for _, key := range it.keys {
		if c, taken := wanted[key]; taken && c.Source != it.id {
			return c.Source
		}
		c, taken := held[key]
		if !taken || c.Source == it.id {
			continue
		}
		holder := holders[c.Source]
		moved := holder.Gone != "" || len(holder.Keys) > 0 && !contains(holder.Keys, key)
		if !moved && !contains(it.row().Merged, c.Source) && !w.archived[c.Source] {
			return c.Source
		}
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

func duplicate(other string) record.Reject {
	return record.Reject{
		Code:   record.DuplicateIdentifier,
		Reason: fmt.Sprintf("HubSpot record %s has the same identifier and keeps the row in Gainsight.", other),
		Fix:    "Merge the two records in HubSpot, or give one of them another identifier.",
	}
}

// finder finds existing rows of the target by one key.
type finder struct {
	key   []string
	index *lookup.Index // the whole object, or nil
}

// existing returns the rows of the target that match each item by one key, as
// results in the items' order. Items that were tried before are looked up
// afresh, whatever index there is.
func (w *work) existing(ctx context.Context, object string, key []string, items []*item) ([]lookup.Result, error) {
	whole, err := w.whole(ctx, object, key, items)
	if err != nil {
		return nil, err
	}
	f, err := w.finder(ctx, object, key, whole)
	if err != nil {
		return nil, err
	}
	fresh := lookup.NewIndex(key)
	asked := map[string]bool{}
	for _, it := range items {
		if values := w.values(it.row(), key); values != nil && (it.tried || f.index == nil) {
			asked[values[0]] = true
			asked[strings.ToLower(strings.TrimSpace(values[0]))] = true
		}
	}
	if err := step.FillKeys(ctx, w.Target, fresh, object, key, sorted(asked)); err != nil {
		return nil, err
	}
	found := make([]lookup.Result, len(items))
	for i, it := range items {
		values := w.values(it.row(), key)
		switch {
		case values == nil:
		case f.index == nil || it.tried && !whole:
			found[i] = fresh.Find(values)
		default:
			found[i] = f.index.Find(values)
			if it.tried { // what it inserted is found by the very values
				found[i].GSIDs = append(found[i].GSIDs, fresh.Find(values).GSIDs...)
				slices.Sort(found[i].GSIDs)
				found[i].GSIDs = slices.Compact(found[i].GSIDs)
			}
		}
	}
	return found, nil
}

// whole reports whether asking for the items' values would miss rows. Persons with
// one resolution key are matched by the target itself, so a miss there only takes
// a known person for a new one.
func (w *work) whole(ctx context.Context, object string, key []string, items []*item) (bool, error) {
	if object == "person" && len(w.identifiers()) == 1 {
		return false, nil
	}
	var first []string
	for _, it := range items {
		if values := w.values(it.row(), key); values != nil {
			first = append(first, values[0])
		}
	}
	return step.Whole(ctx, w.Target, first)
}

// finder returns the finder of a key: with the index of the whole object if the
// run is large or the index is needed, built once per run.
func (w *work) finder(ctx context.Context, object string, key []string, whole bool) (*finder, error) {
	name := "target-" + strings.Join(key, "-")
	if f := w.indexes[name]; f != nil && (f.index != nil || !whole) {
		return f, nil
	}
	f := &finder{key: key}
	w.indexes[name] = f
	ext, err := w.Runs.Extraction(ctx, w.run.ID)
	if err != nil {
		return nil, err
	}
	from := w.IndexFrom
	if from == 0 {
		from = 2000
	}
	if !whole && (ext.Count < from || w.run.Mode != run.ModeFull) {
		return f, nil
	}
	x, err := w.Staging.Index(ctx, w.run.ID, name)
	if fault.Is(err, fault.NotFound) {
		begun := staging.Begun{Store: w.Staging, Run: w.run.ID, Index: name}
		if x, err = step.Fill(ctx, w.Target, begun, object, key); err == nil {
			err = w.Staging.PutIndex(ctx, w.run.ID, name, x)
		}
	}
	if err != nil {
		delete(w.indexes, name)
		return nil, err
	}
	f.index = x
	return f, nil
}
