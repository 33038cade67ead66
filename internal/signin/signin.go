// Package signin says who is at the door: a person who signed in with an OpenID
// Connect issuer, a program with a bearer token of that issuer, or, on a laptop,
// whoever opened the link that was printed at the start.
//
// A session is a cookie that holds the person, signed and encrypted; nothing of
// it is stored. Roles come from a claim of the issuer.
package signin

import "context"

// Role is what a person may do.
type Role string

// What a Role can be. An admin may do all that a viewer may.
const (
	Viewer Role = "viewer"
	Admin  Role = "admin"
)

// Person is who is signed in.
type Person struct {
	// ID names the person in the activity: the e-mail address if the issuer says
	// one, else the subject.
	ID   string `json:"id"`
	Name string `json:"name"` // for the page; never empty
	Role Role   `json:"role"`
}

type personKey struct{}

// PersonOf returns who is signed in, and false if nobody is.
func PersonOf(ctx context.Context) (Person, bool) {
	p, ok := ctx.Value(personKey{}).(Person)
	return p, ok
}

// WithPerson returns a context in which p is signed in.
func WithPerson(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, personKey{}, p)
}
