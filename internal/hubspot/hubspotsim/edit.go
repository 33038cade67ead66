package hubspotsim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Create adds a record and returns its id. An id may be given as hs_object_id
// and the create date as createdate (hs_createdate); empty values are not set.
func (p *Portal) Create(object string, props map[string]string) (id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	now := p.sim.o.Now()
	rec := &record{created: now.UnixMilli()}
	changes := t.changes(props, rec)
	if rec.id == 0 {
		rec.id = t.next + 1 + p.random.Int64N(9)
	}
	t.insert(rec)
	id = strconv.FormatInt(rec.id, 10)
	t.write(rec, version{now.UnixMilli(), version{}.with(changes)}, now, p.lag(id), false)
	p.emit(t, event{Type: "creation", ObjectID: rec.id, Flag: "NEW", Source: "CRM_UI"})
	return id
}

// Set writes values and moves the modified time. "" clears a value that was
// set: it reads null, or "" with Options.EmptyText.
func (p *Portal) Set(object, id string, props map[string]string) {
	p.set(object, id, props, false)
}

// SetSilently writes values as HubSpot's calculations do: the modified time
// stays and no webhook tells of it.
func (p *Portal) SetSilently(object, id string, props map[string]string) {
	p.set(object, id, props, true)
}

func (p *Portal) set(object, id string, props map[string]string, silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	p.edit(t, t.must(id), t.changes(props, &record{}), silent)
}

// edit makes a new version of a record. The portal's lock is held.
func (p *Portal) edit(t *objectType, rec *record, changes map[int]string, silent bool) {
	now := p.sim.o.Now()
	v := version{rec.updated, rec.with(changes)}
	if !silent {
		v.updated = now.UnixMilli()
	}
	t.write(rec, v, now, p.lag(strconv.FormatInt(rec.id, 10)), true)
	if silent {
		return
	}
	for _, n := range sortedKeys(changes) {
		value := changes[n]
		p.emit(t, event{Type: "propertyChange", ObjectID: rec.id, Property: t.props[n].Name, Value: &value, Source: "CRM_UI"})
	}
}

// changes turns names into numbers; the id and the create date go into rec.
func (t *objectType) changes(props map[string]string, rec *record) map[int]string {
	out := make(map[int]string, len(props))
	for name, value := range props {
		n := t.number(name)
		switch t.props[n].kind {
		case recordID:
			id, err := strconv.ParseInt(value, 10, 64)
			if err != nil || id <= 0 {
				panic(fmt.Sprintf("hubspotsim: %q is no record id", value))
			}
			rec.id = id
		case createdTime:
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				panic(fmt.Sprintf("hubspotsim: create date: %v", err))
			}
			rec.created = at.UnixMilli()
		case modifiedTime:
			panic("hubspotsim: the modified time follows from the time of the edit")
		case stored:
			out[n] = value
		}
	}
	return out
}

func (p *Portal) lag(id string) time.Duration {
	if p.sim.o.IndexLag == nil {
		return 0
	}
	return p.sim.o.IndexLag(id)
}

// changed tells that search of any type may answer differently from now on:
// filters may look at associations.
func (p *Portal) changed() {
	for _, t := range p.types {
		t.changed()
	}
}

// Archive moves the record to the recycle bin: gone from list and search, in
// the archived list. Its modified time stays. Twice does nothing.
func (p *Portal) Archive(object, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	rec := t.must(id)
	if !rec.live() {
		return
	}
	rec.archived = p.sim.o.Now().UnixMilli()
	p.changed()
	p.emit(t, event{Type: "deletion", ObjectID: rec.id, Flag: "DELETED", Source: "CRM_UI"})
}

// Restore takes an archived record out of the recycle bin, with its id. Its
// modified time stays (assumed). A live record stays as it is.
func (p *Portal) Restore(object, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	rec := t.must(id)
	if rec.archived == 0 {
		return
	}
	rec.archived = 0
	p.changed()
	p.emit(t, event{Type: "restore", ObjectID: rec.id, Flag: "RESTORED", Source: "CRM_UI"})
}

// Purge removes the record for good: a GDPR delete, or the end of the 90 days
// in the recycle bin.
func (p *Portal) Purge(object, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	rec := t.must(id)
	wasLive := rec.live()
	rec.purged, rec.version = true, version{}
	p.changed()
	if !wasLive {
		return
	}
	p.emit(t, event{Type: "deletion", ObjectID: rec.id, Flag: "DELETED", Source: "CRM_UI"})
	if t.plural == "contacts" {
		p.emit(t, event{Type: "privacyDeletion", ObjectID: rec.id, Flag: "DELETED", Source: "CRM_UI"})
	}
}

// maxMerges is how many merges one record can take part in.
const maxMerges = 250

// Merge merges loser into primary: the primary's values, filled up with the
// loser's, and the associations of both. Contacts and companies get a new id;
// with other objects the primary's id stays. It returns the winner's id.
func (p *Portal) Merge(object, primary, loser string) (newID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	a, b := t.must(primary), t.must(loser)
	if a == b || !a.live() || !b.live() {
		panic(fmt.Sprintf("hubspotsim: %s %s and %s cannot be merged", t.plural, primary, loser))
	}
	now := p.sim.o.Now()
	ids := append(t.mergedIDs(a), t.mergedIDs(b)...)
	if len(ids) > maxMerges {
		panic(fmt.Sprintf("hubspotsim: a record cannot take more than %d merges", maxMerges))
	}
	changes := map[int]string{}
	b.unpack(func(n int, value string) { changes[n] = value })
	moved := len(changes)
	a.unpack(func(n int, value string) {
		if value != "" {
			changes[n] = value
		}
	})
	winner := a
	if t.plural == "contacts" || t.plural == "companies" {
		winner = &record{id: t.next + 1 + p.random.Int64N(9), created: min(a.created, b.created)}
		t.insert(winner)
	}
	changes[t.number("hs_merged_object_ids")] = strings.Join(ids, ";")
	if t.plural == "contacts" {
		vids := make([]string, len(ids))
		for i, id := range ids {
			vids[i] = id + ":" + strconv.FormatInt(now.UnixMilli(), 10)
		}
		changes[t.number("hs_calculated_merged_vids")] = strings.Join(vids, ";")
	}
	newID = strconv.FormatInt(winner.id, 10)
	t.write(winner, version{now.UnixMilli(), winner.with(changes)}, now, p.lag(newID), winner == a)
	for _, old := range []*record{a, b} {
		if old != winner {
			old.into = winner.id
			p.relink(t, old, winner)
		}
	}
	p.changed()
	p.emitMerge(t, a, b, winner, moved)
	return newID
}

// mergedIDs are the ids that a merge of the record must list: those it lists
// already, and its own.
func (t *objectType) mergedIDs(rec *record) []string {
	listed, _ := rec.value(t.number("hs_merged_object_ids"))
	var out []string
	for _, id := range strings.Split(listed, ";") {
		if id != "" {
			out = append(out, id)
		}
	}
	if own := strconv.FormatInt(rec.id, 10); !slices.Contains(out, own) {
		out = append(out, own)
	}
	return out
}

func (p *Portal) emitMerge(t *objectType, a, b, winner *record, moved int) {
	p.emit(t, event{
		Type: "merge", ObjectID: winner.id, PrimaryID: a.id, MergedIDs: []int64{b.id}, NewID: winner.id,
		Moved: moved, Flag: "MERGED", Source: "CRM_UI",
	})
	for _, old := range []*record{a, b} {
		if old != winner {
			p.emit(t, event{Type: "deletion", ObjectID: old.id, Flag: "DELETED", Source: "CRM_UI"})
		}
	}
}

// Record is what HubSpot holds for one record.
type Record struct {
	ID               string
	Created, Updated time.Time
	Archived         bool
	MergedInto       string // the direct winner; "" = not merged away
	portal           *Portal
	t                *objectType
	rec              record
}

// Value returns a value as text; ok is false if it was never set. A cleared
// value is "", true.
func (r Record) Value(name string) (value string, ok bool) {
	r.portal.mu.Lock()
	defer r.portal.mu.Unlock()
	n, known := r.t.byName[name]
	if !known {
		return "", false
	}
	return r.t.get(&r.rec, r.rec.version, n)
}

// Values returns all values that are set or cleared, by name, the id and the
// times among them.
func (r Record) Values() map[string]string {
	r.portal.mu.Lock()
	defer r.portal.mu.Unlock()
	out := map[string]string{}
	for n, d := range r.t.props {
		if d.kind != stored {
			out[d.Name], _ = r.t.get(&r.rec, r.rec.version, n)
		}
	}
	r.rec.unpack(func(n int, value string) { out[r.t.props[n].Name] = value })
	return out
}

// Each visits all records of the object in the order of their ids, archived
// and merged ones too, purged ones not. It tells the truth, without the lag
// of search. visit may edit the portal; what is edited meanwhile is seen or not.
func (p *Portal) Each(object string, visit func(Record)) {
	for from := int64(0); ; {
		p.mu.Lock()
		t := p.must(object)
		var some []Record
		i := t.position(from)
		for ; i < len(t.all) && len(some) < 500; i++ {
			if !t.all[i].purged {
				some = append(some, p.truth(t, t.all[i]))
			}
			from = t.all[i].id + 1
		}
		p.mu.Unlock()
		for _, r := range some {
			visit(r)
		}
		if len(some) == 0 {
			return
		}
	}
}

// Get returns the truth about one record.
func (p *Portal) Get(object, id string) (r Record, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.must(object)
	n, err := strconv.ParseInt(id, 10, 64)
	if rec := t.find(n); err == nil && rec != nil {
		return p.truth(t, rec), true
	}
	return Record{}, false
}

func (p *Portal) truth(t *objectType, rec *record) Record {
	out := Record{
		ID: strconv.FormatInt(rec.id, 10), Created: time.UnixMilli(rec.created).UTC(), Updated: time.UnixMilli(rec.updated).UTC(),
		Archived: rec.archived != 0, portal: p, t: t, rec: *rec,
	}
	if rec.into != 0 {
		out.MergedInto = strconv.FormatInt(rec.into, 10)
	}
	return out
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
