package api

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"

	"hubspotconnector/internal/fault"
)

// Paging chooses a page of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many entries a page has at most."`
	Cursor string `query:"cursor" maxLength:"1000" doc:"The next of the page before; without it the first page."`
}

// List is a page of a list.
type List[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page; missing on the last one."`
}

// answer is a body.
type answer[T any] struct{ Body T }

// versioned is the body of something that can be edited.
type versioned[T any] struct {
	ETag string `header:"ETag" doc:"Names the version, for If-Match."`
	Body T
}

// created is something new.
type created[T any] struct {
	ETag     string `header:"ETag" doc:"Names the version, for If-Match."`
	Location string `header:"Location" doc:"Where it is read."`
	Body     T
}

// nothing is an answer without a body.
type nothing struct{}

// list is a page that a service has cut.
func list[S, T any](all []S, next string, as func(S) T) *answer[List[T]] {
	out := List[T]{Items: make([]T, len(all)), Next: next}
	for i, one := range all {
		out.Items[i] = as(one)
	}
	return &answer[List[T]]{out}
}

// entryKey is the key of an entry of a list, and where it stands.
type entryKey struct {
	key string
	at  int
}

// page cuts a page out of a whole list, in the order of keys that tell its entries
// apart. The cursor is the key of the last entry of a page, so that entries which
// come or go between two pages move no other.
func page[S, T any](all []S, p Paging, key func(S) string, as func(S) T) (*answer[List[T]], error) {
	after, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil {
		return nil, badCursor()
	}
	order := make([]entryKey, len(all))
	for i, one := range all {
		order[i] = entryKey{key(one), i}
	}
	slices.SortFunc(order, func(a, b entryKey) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at)) })
	from := 0
	if p.Cursor != "" {
		from, _ = slices.BinarySearchFunc(order, string(after)+"\x00", func(e entryKey, sought string) int { return cmp.Compare(e.key, sought) })
	}
	to, next := min(from+p.Limit, len(order)), ""
	if to < len(order) {
		next = base64.RawURLEncoding.EncodeToString([]byte(order[to-1].key))
	}
	cut := make([]S, 0, to-from)
	for _, e := range order[from:to] {
		cut = append(cut, all[e.at])
	}
	return list(cut, next, as), nil
}

func badCursor() error {
	p := problem(http.StatusUnprocessableEntity, "The cursor is not one of this list. Begin with the first page.", Detail{Path: "query.cursor", Message: "This is not the next of a page of this list."})
	p.Kind = string(fault.Invalid)
	return p
}
