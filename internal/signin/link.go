package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// link is the way in on a laptop.
type link struct {
	mu    sync.Mutex
	token [sha256.Size]byte // the hash of what opens
	used  bool
}

// NewLink returns a door that opens once, for whoever has the link: on a laptop,
// the person who started the process and read it on the screen. That is an admin.
func NewLink(c Config) (d *Door, url string) {
	token := rand.Text() + rand.Text()
	d = newDoor(c)
	d.link = &link{token: sha256.Sum256([]byte(token))}
	d.enter = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.refuse(w, r, http.StatusUnauthorized, "Open the link that was printed when the console started. It works once; start the console again for another.")
	})
	return d, strings.TrimSuffix(c.PublicURL, "/") + "/?token=" + token
}

// TakeToken also lets in, as the operator, what sends the token as bearer token. A
// token needs at least 32 characters; it panics on a shorter one. Call it before the
// door is used, with a door of NewLink.
func (d *Door) TakeToken(token secret.Text) {
	if len(token) < 32 {
		panic("a token of fewer than 32 characters can be guessed")
	}
	kept := sha256.Sum256([]byte(token))
	d.bearer = func(_ context.Context, sent string) (Person, error) {
		given := sha256.Sum256([]byte(sent))
		if subtle.ConstantTimeCompare(given[:], kept[:]) != 1 {
			return Person{}, fault.New(fault.Invalid, "The token is not that of this start of the console.")
		}
		return Operator, nil
	}
}

// Operator is who comes in by the link.
var Operator = Person{ID: "operator", Name: "Operator", Role: Admin} //nolint:gochecknoglobals // a constant

// open trades the link for a session, once.
func (l *link) open(d *Door, w http.ResponseWriter, r *http.Request) {
	given := sha256.Sum256([]byte(r.URL.Query().Get("token")))
	l.mu.Lock()
	good := subtle.ConstantTimeCompare(given[:], l.token[:]) == 1
	first := good && !l.used
	l.used = l.used || good
	l.mu.Unlock()
	w.Header().Set("Referrer-Policy", "no-referrer")
	if !first {
		if _, in := d.session(r); in { // a reload by the same person
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		d.refuse(w, r, http.StatusForbidden, "This link was used before, or is of an earlier start. Start the console again, and open the link that it prints.")
		return
	}
	if err := d.begin(w, r, Operator); err != nil {
		d.refuse(w, r, http.StatusInternalServerError, fault.MessageOf(err))
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
