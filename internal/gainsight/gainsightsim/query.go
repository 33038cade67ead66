package gainsightsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"
)

const (
	maxRows      = 5000
	defaultLimit = 100 // [assumed]
)

type queryBody struct {
	Select  []string `json:"select"`
	Where   *where   `json:"where"`
	OrderBy orderBy  `json:"orderBy"`
	Limit   *int     `json:"limit"`
	Offset  int      `json:"offset"`
	// of the user list only
	Page int `json:"page"`
}

// orderBy is an object whose keys are in order.
type orderBy []order

type order struct {
	name string
	desc bool
}

// UnmarshalJSON keeps the order of the object's keys.
func (o *orderBy) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var directions map[string]string
	if err := json.Unmarshal(b, &directions); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		*o = append(*o, order{name, strings.EqualFold(directions[name], "desc")})
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	return nil
}

// query answers rows.
func (s *Sim) query(c *call) answer {
	o, bad := s.object(c)
	if bad != nil {
		return c.refuse(bad)
	}
	var body queryBody
	if bad := c.read(&body); bad != nil {
		return c.refuse(bad)
	}
	p, bad := s.plan(o, body)
	if bad != nil {
		return c.refuse(bad)
	}
	slots := p.run()
	if len(slots) == 0 && s.switches.EmptyIsError { // the status is [assumed]
		return c.fail(http.StatusOK, "GSOBJ_1XXX", "No data found for given criteria", nil)
	}
	return c.rows(o, p.sel, slots, s.switches)
}

// plan is a query that was checked.
type plan struct {
	object        *object
	sel           []column
	groups        [][]condition // one group must hold; all conditions of a group must
	orders        []sorting
	limit, offset int
	fold          bool
}

type column struct {
	name string
	path path
}

type sorting struct {
	path path
	desc bool
}

// plan checks a query.
func (s *Sim) plan(o *object, q queryBody) (*plan, *refusal) {
	p := &plan{object: o, limit: defaultLimit, offset: q.Offset, fold: s.switches.FoldCase}
	if q.Limit != nil {
		p.limit = min(*q.Limit, or(s.switches.MaxRows, maxRows)) // more is cut [assumed]
	}
	if p.limit <= 0 || p.offset < 0 {
		return nil, malformed("Invalid limit or offset")
	}
	if len(q.Select) == 0 {
		return nil, malformed("select is mandatory")
	}
	for _, name := range q.Select {
		path, ok := s.resolve(o, name)
		if !ok {
			return nil, invalidField(name, nil) // the code is [assumed], as for where
		}
		p.sel = append(p.sel, column{name, path})
	}
	for _, by := range q.OrderBy {
		path, ok := s.resolve(o, by.name)
		if !ok {
			return nil, invalidField(by.name, nil)
		}
		p.orders = append(p.orders, sorting{path, by.desc})
	}
	var bad *refusal
	p.groups, bad = s.conditions(o, q.Where)
	return p, bad
}

// run returns the slots of the answer's rows.
func (p *plan) run() []int32 {
	byGsid := len(p.orders) > 0 && len(p.orders[0].path.hops) == 0 && p.orders[0].path.field.num == numGsid && !p.orders[0].desc
	early := len(p.orders) == 0 || byGsid // the candidates come in the order that is wanted
	var found []int32
	for _, slot := range p.candidates(byGsid) {
		row := p.object.rows[slot]
		if row == "" || !p.holds(row) {
			continue
		}
		found = append(found, slot)
		if early && len(found) == p.offset+p.limit {
			break
		}
	}
	if !early {
		p.sort(found)
	}
	return found[min(p.offset, len(found)):min(p.offset+p.limit, len(found))]
}

// candidates returns slots among which all matching rows are, in the order of
// GSIDs or of the rows' making.
func (p *plan) candidates(byGsid bool) []int32 {
	if len(p.groups) == 1 {
		for _, c := range p.groups[0] {
			if !c.indexed() {
				continue
			}
			slots := p.object.find(c.path.field.num, p.fold, c.values...)
			if byGsid {
				slices.SortFunc(slots, func(a, b int32) int {
					return strings.Compare(gsidOf(p.object.rows[a]), gsidOf(p.object.rows[b]))
				})
			}
			return slots
		}
	}
	if !byGsid {
		all := make([]int32, len(p.object.rows))
		for i := range all {
			all[i] = int32(i)
		}
		return all
	}
	slots := p.object.sorted()
	if len(p.groups) == 1 && !p.fold {
		for _, c := range p.groups[0] {
			if after := c.operator == "GT" || c.operator == "GTE"; !after || len(c.path.hops) > 0 || c.path.field.num != numGsid {
				continue
			}
			return slots[sort.Search(len(slots), func(i int) bool { return gsidOf(p.object.rows[slots[i]]) >= c.values[0].s }):]
		}
	}
	return slots
}

func (p *plan) holds(row string) bool {
	if p.groups == nil {
		return true
	}
	for _, group := range p.groups {
		all := true
		for _, c := range group {
			if !c.holds(row, p.fold) {
				all = false
				break
			}
		}
		if all {
			return true
		}
	}
	return false
}

// sort orders slots by the sort keys, null first [assumed]; rows that are equal
// stay in the order of their making.
func (p *plan) sort(slots []int32) {
	keys := make([][]value, len(slots))
	at := make([]int, len(slots))
	for i, slot := range slots {
		at[i] = i
		for _, by := range p.orders {
			keys[i] = append(keys[i], by.path.of(p.object.rows[slot]))
		}
	}
	slices.SortStableFunc(at, func(a, b int) int {
		for i, by := range p.orders {
			n := keys[a][i].compare(keys[b][i], p.fold)
			if by.desc {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	was := slices.Clone(slots)
	for i, from := range at {
		slots[i] = was[from]
	}
}

// get answers one row with all its fields.
func (s *Sim) get(c *call) answer {
	o, bad := s.object(c)
	if bad != nil {
		return c.refuse(bad)
	}
	_, slot, ok := o.row(c.PathValue("gsid"))
	if !ok {
		return c.refuse(noGsid()) // [assumed]
	}
	var all []column
	for _, f := range o.fields {
		if f != nil {
			all = append(all, column{f.Name, path{field: f}})
		}
	}
	w := s.switches
	w.BareArray = false
	return c.rows(o, all, []int32{slot}, w)
}

func noGsid() *refusal {
	return &refusal{code: "GSOBJ_1004", message: "Either the Gainsight ID is invalid or missing, please re-check your request."}
}
