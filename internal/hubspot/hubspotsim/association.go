package hubspotsim

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Limits of associations (HubSpot's associations guide and changelog of
// 2025-02-10). The count of inline associations is undocumented (assumed).
const (
	maxInputs  = 1_000
	linkPage   = 500
	inlinePage = 100
)

// pair holds the associations from one type of objects to another. Each has
// a twin in the other direction with the same label at the same place.
type pair struct {
	from, to *objectType
	labels   []label // 0 is the unlabeled type
	links    map[int64][]link
}

type label struct {
	name     string // "" = unlabeled
	category string
	typeID   int
	inverse  int // place of the label in the other direction
}

// link is one association, sorted by to. Bit n of kinds is label n; bit 0 is
// always set.
type link struct {
	to    int64
	kinds uint32
}

// Primary is the label of the association with the primary company.
const Primary = "Primary"

// associationTypes lists from, to, unlabeled and primary type id in both
// directions (HubSpot's association type tables).
func associationTypes() [][6]string {
	return [][6]string{
		{"contacts", "companies", "279", "280", "1", "2"},
		{"deals", "companies", "341", "342", "5", "6"},
		{"tickets", "companies", "339", "340", "26", "25"},
		{"deals", "contacts", "3", "4"},
		{"contacts", "tickets", "15", "16"},
		{"deals", "tickets", "27", "28"},
		{"deals", "line_items", "19", "20"},
		{"contacts", "contacts", "449", "449"},
		{"companies", "companies", "450", "450"},
	}
}

// pair returns the associations between two types; the first use defines them.
func (p *Portal) pair(from, to *objectType) *pair {
	if made := p.pairs[[2]*objectType{from, to}]; made != nil {
		return made
	}
	there := &pair{from: from, to: to, links: map[int64][]link{}}
	back := there
	if from != to {
		back = &pair{from: to, to: from, links: map[int64][]link{}}
	}
	p.pairs[[2]*objectType{from, to}], p.pairs[[2]*objectType{to, from}] = there, back
	p.nextKey += 2
	ids := [4]int{p.nextKey, p.nextKey + 1}
	for _, known := range associationTypes() {
		if known[0] == from.plural && known[1] == to.plural {
			ids = numbers(known[2], known[3], known[4], known[5])
		} else if known[0] == to.plural && known[1] == from.plural {
			ids = numbers(known[3], known[2], known[5], known[4])
		}
	}
	const hubspot = "HUBSPOT_DEFINED"
	there.labels = []label{{"", hubspot, ids[0], 0}}
	back.labels = []label{{"", hubspot, ids[1], 0}}
	switch {
	case ids[2] > 0:
		there.labels = append(there.labels, label{Primary, hubspot, ids[2], 1})
		back.labels = append(back.labels, label{Primary, hubspot, ids[3], 1})
	case from == to && from.plural == "companies":
		there.labels = append(there.labels, label{"Child Company", hubspot, 13, 2}, label{"Parent Company", hubspot, 14, 1})
	}
	return there
}

func numbers(texts ...string) (out [4]int) {
	for i, text := range texts {
		out[i], _ = strconv.Atoi(text) // "" is 0: there is no such type
	}
	return out
}

// place finds a label; a new one is added in both directions.
func (p *Portal) place(there *pair, name string) int {
	for i, l := range there.labels {
		if l.name == name {
			return i
		}
	}
	if len(there.labels) == 32 {
		panic("hubspotsim: too many association labels")
	}
	back, at := p.pair(there.to, there.from), len(there.labels)
	p.nextKey += 2
	there.labels = append(there.labels, label{name, "USER_DEFINED", p.nextKey, at})
	if back != there {
		back.labels = append(back.labels, label{name, "USER_DEFINED", p.nextKey + 1, at})
	}
	return at
}

// Associate links two records. The label is "" (unlabeled), Primary, or a
// name that the portal gave; a labelled association is always unlabeled too.
// A record has one primary company: making another one primary takes it from
// the first, and a contact's associatedcompanyid follows. Modified times stay,
// unless Options.AssociationTouches.
func (p *Portal) Associate(fromObj, fromID, toObj, toID, label string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, to := p.must(fromObj), p.must(toObj)
	a, b := from.must(fromID), to.must(toID)
	there := p.pair(from, to)
	at := p.place(there, label)
	if label == Primary && from.plural == "companies" {
		p.makePrimary(to, b, from, a)
	} else if label == Primary {
		p.makePrimary(from, a, to, b)
	}
	p.link(there, a.id, b.id, 1|1<<at)
	p.link(p.pair(to, from), b.id, a.id, 1|1<<there.labels[at].inverse)
	p.emitLink(from, a, to, b, label == Primary, false)
}

// Dissociate removes a label from an association; "" removes it whole. A lost
// primary company clears a contact's associatedcompanyid.
func (p *Portal) Dissociate(fromObj, fromID, toObj, toID, label string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, to := p.must(fromObj), p.must(toObj)
	a, b := from.must(fromID), to.must(toID)
	there := p.pair(from, to)
	at := p.place(there, label)
	if label == "" || label == Primary {
		if from.plural == "companies" {
			p.losePrimary(to, b, a.id)
		} else {
			p.losePrimary(from, a, b.id)
		}
	}
	p.unlink(there, a.id, b.id, at)
	p.unlink(p.pair(to, from), b.id, a.id, there.labels[at].inverse)
	p.emitLink(from, a, to, b, label == Primary, true)
}

func (p *Portal) link(pr *pair, from, to int64, kinds uint32) {
	links := pr.links[from]
	i, found := slices.BinarySearchFunc(links, to, func(l link, to int64) int { return cmp.Compare(l.to, to) })
	if found {
		links[i].kinds |= kinds
	} else {
		pr.links[from] = slices.Insert(links, i, link{to, kinds})
	}
	pr.from.changed()
}

func (p *Portal) unlink(pr *pair, from, to int64, at int) {
	links := pr.links[from]
	i, found := slices.BinarySearchFunc(links, to, func(l link, to int64) int { return cmp.Compare(l.to, to) })
	pr.from.changed()
	switch {
	case !found:
	case at == 0:
		pr.links[from] = slices.Delete(links, i, i+1)
	default:
		links[i].kinds &^= 1 << at
	}
}

// makePrimary gives the record its primary company.
func (p *Portal) makePrimary(t *objectType, rec *record, company *objectType, winner *record) {
	there, back := p.pair(t, company), p.pair(company, t)
	if len(there.labels) < 2 || there.labels[1].name != Primary {
		panic(fmt.Sprintf("hubspotsim: %s have no primary %s", t.plural, company.plural))
	}
	for _, l := range there.links[rec.id] {
		if l.to != winner.id {
			p.unlink(there, rec.id, l.to, 1)
			p.unlink(back, l.to, rec.id, 1)
		}
	}
	p.setCompany(t, rec, strconv.FormatInt(winner.id, 10))
}

func (p *Portal) losePrimary(t *objectType, rec *record, company int64) {
	if t.plural != "contacts" {
		return
	}
	if now, _ := rec.value(t.number("associatedcompanyid")); now == strconv.FormatInt(company, 10) {
		p.setCompany(t, rec, "")
	}
}

func (p *Portal) setCompany(t *objectType, rec *record, id string) {
	if t.plural == "contacts" {
		p.edit(t, rec, map[int]string{t.number("associatedcompanyid"): id}, !p.sim.o.AssociationTouches)
	}
}

// relink moves all associations of a merged record to the winner. What the
// winner has already stays primary.
func (p *Portal) relink(t *objectType, old, winner *record) {
	for _, other := range p.types {
		there := p.pairs[[2]*objectType{t, other}]
		if there == nil || len(there.links[old.id]) == 0 {
			continue
		}
		back := p.pair(other, t)
		hasPrimary := slices.ContainsFunc(there.links[winner.id], func(l link) bool { return l.kinds&2 != 0 })
		for _, l := range slices.Clone(there.links[old.id]) {
			kinds := l.kinds
			if hasPrimary && other.plural == "companies" && t.plural != "companies" {
				kinds &^= 2
			}
			p.unlink(there, old.id, l.to, 0)
			p.unlink(back, l.to, old.id, 0)
			if l.to == winner.id {
				continue
			}
			p.link(there, winner.id, l.to, kinds)
			p.link(back, l.to, winner.id, there.inverse(kinds))
			if rec := other.find(l.to); rec != nil && t.plural == "companies" && kinds&2 != 0 {
				p.setCompany(other, rec, strconv.FormatInt(winner.id, 10))
			}
		}
		delete(there.links, old.id)
	}
}

func (pr *pair) inverse(kinds uint32) (out uint32) {
	for k := kinds; k != 0; k &= k - 1 {
		out |= 1 << pr.labels[bits.TrailingZeros32(k)].inverse
	}
	return out
}

// liveLinks are the associations of a record with live records.
func (p *Portal) liveLinks(pr *pair, id int64) []link {
	var out []link
	for _, l := range pr.links[id] {
		if rec := pr.to.find(l.to); rec != nil && rec.live() {
			out = append(out, l)
		}
	}
	return out
}

func (p *Portal) linkedIDs(t *objectType, id int64, to *objectType) []int64 {
	var out []int64
	for _, l := range p.liveLinks(p.pair(t, to), id) {
		out = append(out, l.to)
	}
	return out
}

// Associated returns the ids of the live records that a record is associated
// with, and their labels without the unlabeled one. It is for oracles.
func (p *Portal) Associated(fromObj, fromID, toObj string) map[string][]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, to := p.must(fromObj), p.must(toObj)
	pr := p.pair(from, to)
	out := map[string][]string{}
	for _, l := range p.liveLinks(pr, from.must(fromID).id) {
		names := []string{}
		for at := 1; at < len(pr.labels); at++ {
			if l.kinds&(1<<at) != 0 {
				names = append(names, pr.labels[at].name)
			}
		}
		out[strconv.FormatInt(l.to, 10)] = names
	}
	return out
}

func (l label) json() object {
	out := object{"category": l.category, "typeId": l.typeID, "label": nil}
	if l.name != "" {
		out["label"] = l.name
	}
	return out
}

// page is one page of a record's associations and the cursor of the next one.
// ok is false if the cursor is none of ours.
func (c *call) page(pr *pair, id int64, after string, limit int) (to []object, next string, ok bool) {
	offset := 0
	if after != "" {
		plain, err := base64.StdEncoding.DecodeString(after)
		if offset, _ = strconv.Atoi(string(plain)); err != nil || offset <= 0 {
			return nil, "", false
		}
	}
	links := c.portal.liveLinks(pr, id)
	end := min(offset+limit, len(links))
	to = []object{}
	for _, l := range links[min(offset, len(links)):end] {
		types := []object{}
		// Labelled types come before the unlabeled one, user-defined ones last.
		for _, at := range []int{1, 0} {
			if at < len(pr.labels) && l.kinds&(1<<at) != 0 {
				types = append(types, pr.labels[at].json())
			}
		}
		for at := 2; at < len(pr.labels); at++ {
			if l.kinds&(1<<at) != 0 {
				types = append(types, pr.labels[at].json())
			}
		}
		to = append(to, object{"toObjectId": c.idOf(l.to), "associationTypes": types})
	}
	if end < len(links) {
		next = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(end)))
	}
	return to, next, true
}

func (c *call) idOf(id int64) any {
	if c.sim.o.StringIDs {
		return strconv.FormatInt(id, 10)
	}
	return id
}

func (c *call) next(after string) object {
	return object{"next": object{"after": after, "link": c.here(map[string]string{"after": after})}}
}

// bothTypes finds the two types of an association call.
func (c *call) bothTypes(from, to string) (*pair, answer, bool) {
	a, refused, ok := c.objectType(c.r.PathValue(from))
	if !ok {
		return nil, refused, false
	}
	b, refused, ok := c.objectType(c.r.PathValue(to))
	if !ok {
		return nil, refused, false
	}
	return c.portal.pair(a, b), answer{}, true
}

// associations serves the batch read.
func (c *call) associations() answer {
	var asked struct {
		Inputs []struct{ ID, After text }
	}
	if _, refused, ok := c.decode(&asked); !ok {
		return refused
	}
	if len(asked.Inputs) > maxInputs {
		return c.invalid("The maximum number of inputs supported in a batch request is %d. Please reduce the number of items and try again", maxInputs)
	}
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	pr, refused, ok := c.bothTypes("from", "to")
	if !ok {
		return refused
	}
	results, problems := []object{}, []object{}
	for _, input := range slices.Backward(asked.Inputs) {
		id, err := strconv.ParseInt(string(input.ID), 10, 64)
		rec := pr.from.find(id)
		switch {
		case err != nil:
			problems = append(problems, pr.problem(string(input.ID), "crm.associations.INVALID_IDENTIFIER", "The id %s is not valid."))
			continue
		case rec == nil || !rec.live():
			problems = append(problems, pr.problem(string(input.ID), "", "The "+pr.from.singular+" %s does not exist."))
			continue
		}
		to, next, ok := c.page(pr, id, string(input.After), linkPage)
		switch {
		case !ok:
			return c.badCursor("cursor", string(input.After))
		case len(to) == 0 && c.sim.o.SilentLinks:
			continue
		case len(to) == 0:
			problems = append(problems, pr.problem(string(input.ID), "crm.associations.NO_ASSOCIATIONS_FOUND",
				"No "+pr.to.singular+" is associated with "+pr.from.singular+" %s."))
			continue
		}
		result := object{"from": object{"id": string(input.ID)}, "to": to}
		if next != "" {
			result["paging"] = c.next(next)
		}
		results = append(results, result)
	}
	at := iso(c.now.UnixMilli())
	out := object{"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
	if len(problems) == 0 {
		return reply(http.StatusOK, out)
	}
	out["numErrors"], out["errors"] = len(problems), problems
	return reply(http.StatusMultiStatus, out)
}

func (pr *pair) problem(id, subCategory, message string) object {
	out := object{
		"status": "error", "category": "OBJECT_NOT_FOUND", "message": strings.ReplaceAll(message, "%s", id),
		"context": object{"fromObjectId": []string{id}, "fromObjectType": []string{pr.from.singular}, "toObjectType": []string{pr.to.singular}},
	}
	if subCategory != "" {
		out["subCategory"] = subCategory
	}
	return out
}

// associationsOf serves the associations of one record.
func (c *call) associationsOf() answer {
	limit, problem := c.limit(linkPage, linkPage)
	if problem != nil {
		return *problem
	}
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	pr, refused, ok := c.bothTypes("type", "to")
	if !ok {
		return refused
	}
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if rec := pr.from.find(id); err != nil || rec == nil || !rec.live() {
		return c.notFound()
	}
	after := c.r.URL.Query().Get("after")
	to, next, ok := c.page(pr, id, after, limit)
	if !ok {
		return c.badCursor("cursor", after)
	}
	out := object{"results": to}
	if next != "" {
		out["paging"] = c.next(next)
	}
	return reply(http.StatusOK, out)
}

// labels serves the association types of a pair.
func (c *call) labels() answer {
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	pr, refused, ok := c.bothTypes("from", "to")
	if !ok {
		return refused
	}
	out := []object{}
	for _, l := range pr.labels {
		out = append(out, l.json())
	}
	return reply(http.StatusOK, object{"results": out})
}

// inline are the associations in a list answer: without labels, and paged.
func (c *call) inline(t *objectType, rec *record, linked []*objectType) object {
	out := object{}
	for _, to := range linked {
		links := c.portal.liveLinks(c.portal.pair(t, to), rec.id)
		if len(links) == 0 {
			continue
		}
		name := t.singular + "_to_" + to.singular
		results := []object{}
		for _, l := range links[:min(len(links), inlinePage)] {
			id := strconv.FormatInt(l.to, 10)
			if l.kinds&2 != 0 {
				results = append(results, object{"id": id, "type": name})
			}
			results = append(results, object{"id": id, "type": name + "_unlabeled"})
		}
		entry := object{"results": results}
		if len(links) > inlinePage {
			entry["paging"] = object{"next": object{"after": strconv.FormatInt(links[inlinePage].to, 10), "link": c.here(nil)}}
		}
		out[to.plural] = entry
	}
	return out
}
