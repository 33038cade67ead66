package hubspotsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Limits of one search (HubSpot's CRM search guide, November 2026).
const (
	maxResults = 10_000
	maxPage    = 200
	maxQuery   = 3_000
	maxGroups  = 5
	maxFilters = 6
	maxAll     = 18
)

// text is a JSON string that may also come as a number or a boolean.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	if data[0] != '"' {
		*t = text(data)
		if string(data) == "null" {
			*t = ""
		}
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

type filter struct {
	Property string  `json:"propertyName"`
	Operator string  `json:"operator"`
	Value    *text   `json:"value,omitempty"`
	High     *text   `json:"highValue,omitempty"`
	Values   *[]text `json:"values,omitempty"`
}

type group struct {
	Filters []filter `json:"filters"`
}

type sorting struct {
	Property  string `json:"propertyName"`
	Direction string `json:"direction"`
}

type search struct {
	Groups     []group   `json:"filterGroups"`
	Filters    []filter  `json:"filters"` // counts as one group
	Sorts      []sorting `json:"sorts"`
	Properties []string  `json:"properties"`
	Limit      *int      `json:"limit"`
	After      text      `json:"after"`
	Query      string    `json:"query"`
}

// search serves one page. It answers from the index: values, times and
// matches are those of the version that the index shows.
func (c *call) search() answer {
	var asked search
	body, refused, ok := c.decode(&asked)
	if !ok {
		return refused
	}
	if len(asked.Filters) > 0 {
		asked.Groups = append(asked.Groups, group{asked.Filters})
	}
	limit, offset, refused, ok := c.searchSizes(&asked, len(body))
	if !ok {
		return refused
	}
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	t, refused, ok := c.objectType(c.r.PathValue("type"))
	if !ok {
		return refused
	}
	t.settle(c.now)
	found, m, refused, ok := c.find(t, &asked)
	if !ok {
		return refused
	}
	total := len(found)
	found = found[min(offset, total):min(offset+limit, total)]
	next := offset + len(found)
	if c.disorderly() {
		found, next = c.disorder(t, m, found, next, limit)
	}
	return c.searchPage(t, asked.Properties, found, total, next)
}

func (c *call) searchPage(t *objectType, properties []string, found []*record, total, next int) answer {
	pl := t.plan(properties, nil)
	out := append(make([]byte, 0, 1024+len(found)*(300+40*len(pl.columns))), `{"total":`...)
	out = append(strconv.AppendInt(out, int64(total), 10), `,"results":[`...)
	for i, rec := range found {
		if i > 0 {
			out = append(out, ',')
		}
		v, _ := t.shown(rec)
		out = pl.append(out, c, rec, v)
	}
	out = append(out, ']')
	if next < total {
		out = append(out, `,"paging":{"next":{"after":"`+strconv.Itoa(next)+`"}}`...)
	}
	return raw(http.StatusOK, append(out, '}'))
}

// searchSizes checks everything that HubSpot limits in a search.
func (c *call) searchSizes(asked *search, body int) (limit, offset int, refused answer, ok bool) {
	limit = 10
	if asked.Limit != nil {
		limit = *asked.Limit
	}
	if asked.After != "" {
		n, err := strconv.ParseInt(string(asked.After), 10, 32)
		if err != nil || n < 0 {
			return 0, 0, c.badCursor("int", string(asked.After)), false
		}
		offset = int(n)
	}
	all := 0
	for _, g := range asked.Groups {
		if all += len(g.Filters); len(g.Filters) > maxFilters {
			return 0, 0, c.invalid("A filter group can hold at most %d filters.", maxFilters), false
		}
	}
	switch {
	case limit < 1 || limit > maxPage:
		return 0, 0, c.invalid("Invalid limit %d: it must be from 1 to %d.", limit, maxPage), false
	case offset+limit > maxResults:
		return 0, 0, c.invalid("The total number of results that can be paged through is %d.", maxResults), false
	case len(asked.Groups) > maxGroups || all > maxAll:
		return 0, 0, c.invalid("A search can hold at most %d filter groups and %d filters.", maxGroups, maxAll), false
	case len(asked.Sorts) > 1:
		return 0, 0, c.invalid("A search can be sorted by one property only."), false
	case len(asked.Query) > maxQuery || c.sim.o.WholeBody && body > maxQuery:
		return 0, 0, c.invalid("A search can hold at most %d characters.", maxQuery), false
	}
	return limit, offset, answer{}, true
}

// find returns the records that match, in the order asked for. The set is
// kept until something changes, without the "id greater than" of a keyset
// scan, so that its pages cost a binary search each.
func (c *call) find(t *objectType, asked *search) ([]*record, *matcher, answer, bool) {
	order, refused, ok := c.order(t, asked.Sorts)
	if !ok {
		return nil, nil, refused, false
	}
	m, refused, ok := c.compile(t, asked.Groups, asked.Query)
	if !ok {
		return nil, nil, refused, false
	}
	groups, after := asked.Groups, int64(-1)
	if order.byID() {
		groups, after = withoutKeyset(groups)
	}
	key := cacheKey(groups, order, asked.Query)
	if t.index.cached != t.index.edits || len(t.index.cache) > 16 {
		clear(t.index.cache)
		t.index.cached = t.index.edits
	}
	found, known := t.index.cache[key]
	if !known {
		all := m
		if after >= 0 {
			if all, refused, ok = c.compile(t, groups, asked.Query); !ok {
				return nil, nil, refused, false
			}
		}
		found = t.matching(all, order)
		t.index.cache[key] = found
	}
	if after >= 0 {
		i, _ := slices.BinarySearchFunc(found, after+1, func(r *record, id int64) int { return cmp.Compare(r.id, id) })
		found = found[i:]
	}
	return found, m, answer{}, true
}

func (t *objectType) matching(m *matcher, order order) []*record {
	var found []*record
	for _, rec := range t.all {
		if rec.live() {
			if v, ok := t.shown(rec); ok && m.match(rec, v) {
				found = append(found, rec)
			}
		}
	}
	if !order.byID() {
		order.sort(t, found)
	}
	return found
}

func cacheKey(groups []group, o order, query string) string {
	var key bytes.Buffer
	_ = json.NewEncoder(&key).Encode(groups) // strings only
	return key.String() + strconv.Itoa(o.number) + strconv.FormatBool(o.descending) + query
}

// withoutKeyset takes "hs_object_id GT n" out of a search with one group.
func withoutKeyset(groups []group) ([]group, int64) {
	if len(groups) != 1 {
		return groups, -1
	}
	after := int64(-1)
	var rest []filter
	for _, f := range groups[0].Filters {
		if f.Property == "hs_object_id" && f.Operator == "GT" && f.Value != nil && after < 0 {
			if n, err := strconv.ParseInt(string(*f.Value), 10, 64); err == nil && n >= 0 {
				after = n
				continue
			}
		}
		rest = append(rest, f)
	}
	return []group{{rest}}, after
}

// order is how results are sorted: by creation, oldest first, unless asked.
type order struct {
	number     int
	kind       kind
	numeric    bool
	descending bool
}

func (o order) byID() bool { return o.kind == recordID && !o.descending }

func (c *call) order(t *objectType, sorts []sorting) (order, answer, bool) {
	s := sorting{Property: t.createdName, Direction: "ASCENDING"}
	if len(sorts) == 1 {
		s = sorts[0]
	}
	n, ok := t.readable(s.Property)
	if !ok {
		return order{}, c.noSuchProperty(s.Property), false
	}
	if s.Direction != "" && s.Direction != "ASCENDING" && s.Direction != "DESCENDING" {
		return order{}, c.invalid("Unknown sort direction %q.", s.Direction), false
	}
	d := t.props[n]
	return order{number: n, kind: d.kind, numeric: d.Type == "number", descending: s.Direction == "DESCENDING"}, answer{}, true
}

// sort sorts by the property, then by id; records without a value come last.
func (o order) sort(t *objectType, found []*record) {
	type keyed struct {
		rec    *record
		number float64
		text   string
		none   bool
	}
	keys := make([]keyed, len(found))
	for i, rec := range found {
		v, _ := t.shown(rec)
		k := keyed{rec: rec}
		switch o.kind {
		case recordID:
			k.number = float64(rec.id)
		case createdTime:
			k.number = float64(rec.created)
		case modifiedTime:
			k.number = float64(v.updated)
		case stored:
			value, _ := v.value(o.number)
			k.text, k.none = strings.ToLower(value), value == ""
			if o.numeric {
				k.number, _ = strconv.ParseFloat(value, 64)
				k.text = ""
			}
		}
		keys[i] = k
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		if a.none != b.none {
			if a.none {
				return 1
			}
			return -1
		}
		by := cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.text, b.text))
		if o.descending {
			by = -by
		}
		return cmp.Or(by, cmp.Compare(a.rec.id, b.rec.id))
	})
	for i, k := range keys {
		found[i] = k.rec
	}
}

// disorderly reports whether it is this page's turn to be disturbed.
func (c *call) disorderly() bool {
	if c.sim.o.Disorder <= 0 {
		return false
	}
	c.portal.pages++
	return c.portal.pages%c.sim.o.Disorder == 0
}

// disorder puts a record that does not match between the others and shuffles
// the page. A full page leaves its last record to the next one.
func (c *call) disorder(t *objectType, m *matcher, found []*record, next, limit int) ([]*record, int) {
	found = slices.Clone(found)
	if len(found) > 2 {
		last := found[len(found)-1].id
		for i := t.position(found[0].id); i < len(t.all) && t.all[i].id < last; i++ {
			rec := t.all[i]
			v, ok := t.shown(rec)
			if !ok || !rec.live() || m.match(rec, v) {
				continue
			}
			if len(found) == limit {
				found, next = found[:limit-1], next-1
			}
			if rec.id < found[len(found)-1].id {
				found = append(found, rec)
			}
			break
		}
	}
	c.portal.random.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	return found, next
}
