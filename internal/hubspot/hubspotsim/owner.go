package hubspotsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Owner is a user or a queue that records can belong to.
type Owner struct {
	ID        string // "" = a new one
	Email     string
	FirstName string
	LastName  string
	Queue     bool
	UserID    int64 // 0 = a new one; none for a queue
	Teams     []string
	Inactive  bool // the user was deactivated: userId is null
	Archived  bool // likewise
	Created   time.Time
	Updated   time.Time // user changes do not move it
}

const maxOwners = 500

// AddOwner adds an owner and returns its id. The times are now if zero.
func (p *Portal) AddOwner(o Owner) (id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.sim.o.Now()
	if o.ID == "" {
		last := int64(41_629_000)
		if n := len(p.people); n > 0 {
			last = ownerNumber(p.people[n-1])
		}
		o.ID = strconv.FormatInt(last+1+p.random.Int64N(900), 10)
	}
	if o.UserID == 0 && !o.Queue {
		o.UserID = 9_000_000 + int64(len(p.people))*7 + 1
	}
	if o.Created.IsZero() {
		o.Created = now
	}
	if o.Updated.IsZero() {
		o.Updated = o.Created
	}
	i, found := slices.BinarySearchFunc(p.people, o, func(a, b Owner) int { return int(ownerNumber(a) - ownerNumber(b)) })
	if found {
		panic(fmt.Sprintf("hubspotsim: there is an owner %s already", o.ID))
	}
	p.people = slices.Insert(p.people, i, o)
	return o.ID
}

func ownerNumber(o Owner) int64 {
	n, err := strconv.ParseInt(o.ID, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("hubspotsim: %q is no owner id", o.ID))
	}
	return n
}

// SetOwner changes an owner; its modified time stays, as at HubSpot.
func (p *Portal) SetOwner(id string, change func(o *Owner)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.people {
		if p.people[i].ID == id {
			change(&p.people[i])
			return
		}
	}
	panic(fmt.Sprintf("hubspotsim: no owner %q", id))
}

// ArchiveOwner moves an owner to the archived ones; it may still own records.
func (p *Portal) ArchiveOwner(id string) {
	p.SetOwner(id, func(o *Owner) { o.Archived = true })
}

// DeactivateOwner deactivates the owner's user; the owner is not archived.
func (p *Portal) DeactivateOwner(id string) {
	p.SetOwner(id, func(o *Owner) { o.Inactive = true })
}

// Owners returns all owners by id, archived ones too.
func (p *Portal) Owners() []Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.people)
}

func (o Owner) json() object {
	out := object{
		"id": o.ID, "email": o.Email, "type": "PERSON", "firstName": o.FirstName, "lastName": o.LastName,
		"userId": nil, "userIdIncludingInactive": o.UserID, "archived": o.Archived,
		"createdAt": iso(o.Created.UnixMilli()), "updatedAt": iso(o.Updated.UnixMilli()),
	}
	if o.Queue {
		out["type"], out["userIdIncludingInactive"] = "QUEUE", nil
	} else if !o.Archived && !o.Inactive {
		out["userId"] = o.UserID
	}
	teams := []object{}
	for i, name := range o.Teams {
		id := 178_588
		for _, r := range name {
			id = (id*31 + int(r)) % 1_000_000
		}
		teams = append(teams, object{"id": strconv.Itoa(id), "name": name, "primary": i == 0})
	}
	if len(teams) > 0 {
		out["teams"] = teams
	}
	return out
}

func (c *call) mayReadOwners() (answer, bool) {
	const scope = "crm.objects.owners.read"
	return c.missingScopes([]string{scope}), c.granted(scope)
}

// owners serves a page of owners. after is the id of the next one (assumed).
func (c *call) owners() answer {
	if refused, ok := c.mayReadOwners(); !ok {
		return refused
	}
	limit, problem := c.limit(100, maxOwners)
	if problem != nil {
		return *problem
	}
	query := c.r.URL.Query()
	after, email := query.Get("after"), query.Get("email")
	from := int64(0)
	if after != "" {
		var err error
		if from, err = strconv.ParseInt(after, 10, 64); err != nil {
			return c.badCursor("long", after)
		}
	}
	results := []object{}
	for _, o := range c.portal.Owners() {
		if ownerNumber(o) < from || o.Archived != (query.Get("archived") == "true") || email != "" && !strings.EqualFold(o.Email, email) {
			continue
		}
		if len(results) == limit {
			return reply(http.StatusOK, object{"results": results, "paging": c.next(o.ID)})
		}
		results = append(results, o.json())
	}
	return reply(http.StatusOK, object{"results": results})
}

// owner serves one owner, by its id or its user's.
func (c *call) owner() answer {
	if refused, ok := c.mayReadOwners(); !ok {
		return refused
	}
	query := c.r.URL.Query()
	id, byUser := c.r.PathValue("owner"), query.Get("idProperty") == "userId"
	for _, o := range c.portal.Owners() {
		key := o.ID
		if byUser {
			key = strconv.FormatInt(o.UserID, 10)
		}
		if key == id && o.Archived == (query.Get("archived") == "true") {
			return reply(http.StatusOK, o.json())
		}
	}
	return c.notFound()
}
