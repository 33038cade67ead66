package hubspotsim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// plan is what an answer shows of each record.
type plan struct {
	t       *objectType
	columns []column
	history []column
	linked  []*objectType
}

type column struct {
	number int
	key    []byte // "name":
}

// plan makes the plan for the properties asked for. Unknown names are ignored;
// the id and both times always come back.
func (t *objectType) plan(names, history []string) plan {
	if len(names) == 0 {
		names = t.defaults
	}
	names = append(slices.Clone(names), "hs_object_id", t.createdName, t.modifiedName)
	return plan{t: t, columns: t.columns(names), history: t.columns(history)}
}

func (t *objectType) columns(names []string) []column {
	names = slices.Clone(names)
	slices.Sort(names)
	var out []column
	for _, name := range slices.Compact(names) {
		if n, ok := t.readable(name); ok {
			out = append(out, column{n, append(quote(nil, name), ':')})
		}
	}
	return out
}

// quote prints a JSON string.
func quote(out []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(out, text)
	if err != nil { // the text is no UTF-8
		quoted, _ = jsontext.AppendQuote(out, strings.ToValidUTF8(text, "\uFFFD"))
	}
	return quoted
}

// append prints a record as a SimplePublicObject. The portal's lock is held.
func (pl plan) append(out []byte, c *call, rec *record, v version) []byte {
	t := pl.t
	t.load(v)
	out = append(out, `{"id":"`...)
	out = strconv.AppendInt(out, rec.id, 10)
	out = append(out, `","properties":{`...)
	for i, col := range pl.columns {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, col.key...)
		out = t.appendValue(out, c, rec, v, col.number)
	}
	out = append(out, '}')
	if len(pl.history) > 0 {
		out = pl.appendHistory(out, c, rec, v)
	}
	out = append(out, `,"createdAt":"`...)
	out = appendISO(out, rec.created)
	out = append(out, `","updatedAt":"`...)
	out = appendISO(out, v.updated)
	if rec.archived != 0 {
		out = append(out, `","archived":true,"archivedAt":"`...)
		out = append(appendISO(out, rec.archived), '"')
	} else {
		out = append(out, `","archived":false`...)
	}
	out = append(out, `,"url":"https://app.hubspot.com/contacts/`...)
	out = strconv.AppendInt(out, c.portal.id, 10)
	out = append(out, "/record/"+t.id+"/"...)
	out = append(strconv.AppendInt(out, rec.id, 10), '"')
	if len(pl.linked) > 0 {
		out = append(append(out, `,"associations":`...), reply(0, c.inline(t, rec, pl.linked)).body...)
	}
	t.unload()
	return append(out, '}')
}

// load spreads the values over the scratch, by number; unload clears it.
func (t *objectType) load(v version) {
	if n := len(t.props) - len(t.scratch); n > 0 {
		t.scratch = append(t.scratch, make([]string, n)...)
	}
	v.unpack(func(n int, value string) {
		if value == "" {
			value = cleared
		}
		t.scratch[n] = value
		t.filled = append(t.filled, n)
	})
}

// cleared marks a cleared value in the scratch, where "" is a value never set.
const cleared = "\x00"

func (t *objectType) unload() {
	for _, n := range t.filled {
		t.scratch[n] = ""
	}
	t.filled = t.filled[:0]
}

func (t *objectType) appendValue(out []byte, c *call, rec *record, v version, number int) []byte {
	switch t.props[number].kind {
	case recordID:
		return append(strconv.AppendInt(append(out, '"'), rec.id, 10), '"')
	case createdTime:
		return append(appendISO(append(out, '"'), rec.created), '"')
	case modifiedTime:
		return append(appendISO(append(out, '"'), v.updated), '"')
	case stored:
	}
	switch value := t.scratch[number]; {
	case value == "" || value == cleared && !c.sim.o.EmptyText:
		return append(out, "null"...)
	case value == cleared:
		return append(out, `""`...)
	default:
		return quote(out, value)
	}
}

// appendHistory prints the newest value only: older ones are not kept.
func (pl plan) appendHistory(out []byte, c *call, rec *record, v version) []byte {
	out = append(out, `,"propertiesWithHistory":{`...)
	for i, col := range pl.history {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, col.key...), '[')
		if value := pl.t.appendValue(nil, c, rec, v, col.number); string(value) != "null" {
			out = append(append(out, `{"value":`...), value...)
			out = append(appendISO(append(out, `,"timestamp":"`...), v.updated), `","sourceType":"CRM_UI","sourceId":"userId:42","updatedByUserId":42}`...)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// sizes returns the largest page or batch: half of it with history.
func sizes(history []string) int {
	if len(history) > 0 {
		return 50
	}
	return 100
}

// list serves the full scan of an object.
func (c *call) list() answer {
	history := c.names("propertiesWithHistory")
	limit, problem := c.limit(10, sizes(history))
	if problem != nil {
		return *problem
	}
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	t, refused, ok := c.objectType(c.r.PathValue("type"))
	if !ok {
		return refused
	}
	query := c.r.URL.Query()
	from, ok := t.listCursor(query.Get("after"))
	if !ok {
		return c.badCursor("long", query.Get("after"))
	}
	pl := t.plan(c.names("properties"), history)
	if pl.linked, refused, ok = c.linkedTypes(); !ok {
		return refused
	}
	archived := query.Get("archived") == "true"
	out := append(make([]byte, 0, 1024+limit*(300+40*len(pl.columns))), `{"results":[`...)
	shown, last := 0, int64(0)
	if c.sim.o.AfterExclusive && from > 0 {
		from++
	}
	for i := t.position(from); i < len(t.all); i++ {
		rec := t.all[i]
		if archived && (rec.archived == 0 || rec.purged || rec.into != 0) || !archived && !rec.live() {
			continue
		}
		if shown == limit {
			next := rec.id
			if c.sim.o.AfterExclusive {
				next = last
			}
			after := strconv.FormatInt(next, 10)
			out = append(out, `],"paging":{"next":{"after":"`+after+`","link":`...)
			out = quote(out, c.here(map[string]string{"after": after}))
			return raw(http.StatusOK, append(out, `}}}`...))
		}
		if shown > 0 {
			out = append(out, ',')
		}
		out = pl.append(out, c, rec, rec.version)
		shown, last = shown+1, rec.id
	}
	return raw(http.StatusOK, append(out, `]}`...))
}

// listCursor reads the id that a page starts with. Offsets of a search cannot
// be ids where all ids are larger than any offset; so they are refused.
func (t *objectType) listCursor(after string) (from int64, ok bool) {
	if after == "" {
		return 0, true
	}
	from, err := strconv.ParseInt(after, 10, 64)
	offset := from > 0 && from <= maxResults && len(t.all) > 0 && t.all[0].id > maxResults
	return from, err == nil && from >= 0 && !offset
}

// linkedTypes reads the associations parameter.
func (c *call) linkedTypes() ([]*objectType, answer, bool) {
	var out []*objectType
	for _, name := range c.names("associations") {
		t, refused, ok := c.objectType(name)
		if !ok {
			return nil, refused, false
		}
		out = append(out, t)
	}
	return out, answer{}, true
}

// single serves one record. The id of a merged record leads to the winner.
func (c *call) single() answer {
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	t, refused, ok := c.objectType(c.r.PathValue("type"))
	if !ok {
		return refused
	}
	pl := t.plan(c.names("properties"), c.names("propertiesWithHistory"))
	if pl.linked, refused, ok = c.linkedTypes(); !ok {
		return refused
	}
	query := c.r.URL.Query()
	rec := t.lookUp(query.Get("idProperty"), []string{c.r.PathValue("id")})[0]
	for rec != nil && rec.into != 0 {
		rec = t.find(rec.into)
	}
	if rec == nil || (rec.archived != 0) != (query.Get("archived") == "true") {
		return c.notFound()
	}
	return raw(http.StatusOK, pl.append(nil, c, rec, rec.version))
}

// lookUp finds records by id, or by the value of a property; nil = none.
func (t *objectType) lookUp(property string, keys []string) []*record {
	out := make([]*record, len(keys))
	if property == "" || property == "hs_object_id" {
		for i, key := range keys {
			if id, err := strconv.ParseInt(key, 10, 64); err == nil {
				out[i] = t.find(id)
			}
		}
		return out
	}
	n, ok := t.readable(property)
	if !ok {
		return out
	}
	wanted := map[string][]int{}
	for i, key := range keys {
		wanted[strings.ToLower(key)] = append(wanted[strings.ToLower(key)], i)
	}
	for _, rec := range t.all {
		if value, _ := rec.value(n); value != "" && !rec.purged && rec.into == 0 {
			for _, i := range wanted[strings.ToLower(value)] {
				out[i] = rec
			}
		}
	}
	return out
}

// batch serves batch/read. Its results are in no order a client may rely on.
func (c *call) batch() answer {
	var asked struct {
		Inputs     []struct{ ID text }
		Properties []string
		History    []string `json:"propertiesWithHistory"`
		IDProperty string
	}
	if _, refused, ok := c.decode(&asked); !ok {
		return refused
	}
	if most := sizes(asked.History); len(asked.Inputs) > most {
		if most == 50 {
			return c.invalid("The maximum number of inputs supported in a batch request for property histories is 50. Please reduce the number of items and try again")
		}
		return c.invalid("The maximum number of inputs supported in a batch request is %d. Please reduce the number of items and try again", most)
	}
	c.portal.mu.Lock()
	defer c.portal.mu.Unlock()
	t, refused, ok := c.objectType(c.r.PathValue("type"))
	if !ok {
		return refused
	}
	archived := c.r.URL.Query().Get("archived") == "true"
	keys := make([]string, len(asked.Inputs))
	for i, input := range asked.Inputs {
		keys[i] = string(input.ID)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	slices.Reverse(keys)
	pl := t.plan(asked.Properties, asked.History)
	out := []byte(`{"status":"COMPLETE","results":[`)
	var missing []string
	for i, rec := range t.lookUp(asked.IDProperty, keys) {
		if rec == nil || rec.into != 0 || (rec.archived != 0) != archived {
			missing = append(missing, keys[i])
			continue
		}
		if out[len(out)-1] == '}' {
			out = append(out, ',')
		}
		out = pl.append(out, c, rec, rec.version)
	}
	out = append(out, ']')
	status := http.StatusOK
	if len(missing) > 0 {
		status = http.StatusMultiStatus
		out = append(append(out, `,"numErrors":1,"errors":`...), reply(0, []object{{
			"status": "error", "category": "OBJECT_NOT_FOUND", "context": object{"ids": missing},
			"message": "Could not get some " + strings.ToUpper(t.singular) + " objects, they may be deleted or not exist. Check that ids are valid.",
		}}).body...)
	}
	at := iso(c.now.UnixMilli())
	return raw(status, append(out, `,"requestedAt":"`+at+`","startedAt":"`+at+`","completedAt":"`+at+`"}`...))
}
