package signin

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// Config is what both kinds of doors need.
type Config struct {
	// PublicURL is the origin under which people reach the pages, such as
	// https://sync.example.com. Cookies are for https alone unless it is http.
	PublicURL string
	// SessionKey returns the secret that sessions are sealed with, at least 32
	// characters. Another one ends all sessions.
	SessionKey func(ctx context.Context) (secret.Text, error)
	// Life is how long a session is good for; 0 = 8 hours.
	Life time.Duration
	// Explain writes a page that says why somebody cannot come in; nil = a plain
	// one.
	Explain func(w http.ResponseWriter, r *http.Request, status int, message string)
	Now     func() time.Time // nil = time.Now
}

// Door lets people in. Build one with NewOIDC or NewLink. It may be used at once.
type Door struct {
	Config
	enter    http.Handler // serves /signin and what lies below
	bearer   func(ctx context.Context, token string) (Person, error)
	link     *link
	mu       sync.Mutex
	sealsFor secret.Text // the session key that seals was made of
	seals    cipher.AEAD
	cross    *http.CrossOriginProtection
}

func newDoor(c Config) *Door { return &Door{Config: c, cross: http.NewCrossOriginProtection()} }

// Handler serves /signin (which leads to the issuer, or explains the link),
// /signin/callback and /signout, which is for POST.
func (d *Door) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/signin", d.enter)
	mux.Handle("/signin/", d.enter)
	mux.HandleFunc("POST /signout", func(w http.ResponseWriter, r *http.Request) {
		d.setCookie(w, sessionCookie, "", -1)
		http.Redirect(w, r, "/signin?out=1", http.StatusSeeOther)
	})
	return mux
}

// Identify puts the person of a valid session or bearer token into the request's
// context, and lets everybody pass. A request with a bearer token has no session.
// On a laptop it also takes the one-time link.
func (d *Door) Identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.link != nil && r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.Query().Has("token") {
			d.link.open(d, w, r)
			return
		}
		var (
			p  Person
			ok bool
		)
		if token, is := bearerToken(r); is {
			if d.bearer != nil {
				got, err := d.bearer(r.Context(), token)
				if fault.Is(err, fault.Transient) {
					d.refuse(w, r, http.StatusServiceUnavailable, fault.MessageOf(err))
					return
				}
				p, ok = got, err == nil
			}
		} else {
			p, ok = d.session(r)
		}
		if ok {
			r = r.WithContext(WithPerson(r.Context(), p))
		}
		next.ServeHTTP(w, r)
	})
}

func bearerToken(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// Require lets a person with the role pass. Without one, a page leads to /signin
// and back, and anything else is 401; another role is 403. Behind it PersonOf
// always returns somebody. It stands behind Identify.
func (d *Door) Require(role Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := PersonOf(r.Context())
		switch {
		case ok && p.Role.may(role):
			w.Header().Set("Cache-Control", "no-store") // what one person saw is not for the next
			next.ServeHTTP(w, r)
		case ok:
			d.refuse(w, r, http.StatusForbidden, "This needs the role "+string(role)+". Ask whoever administers the sign-in for it.")
		case isPage(r) && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			http.Redirect(w, r, "/signin?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			d.refuse(w, r, http.StatusUnauthorized, "Sign in first: the session has ended, or the token is not valid.")
		}
	})
}

// CrossOriginProtection refuses with 403 what another site's page sends with a
// method that changes something. Bearer tokens pass: no browser sends them by
// itself.
func (d *Door) CrossOriginProtection(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, is := bearerToken(r); !is && d.cross.Check(r) != nil {
			d.refuse(w, r, http.StatusForbidden, "The request came from another site, so nothing was done. Open the console itself and try again.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// may reports whether the role allows what wants another.
func (r Role) may(wanted Role) bool { return r == wanted || r == Admin && wanted == Viewer }

// The cookies.
const (
	sessionCookie = "session"
	pendingCookie = "signin" // a sign-in on its way
)

// session is what the cookie holds. Fields may be added, never renamed or removed.
type session struct {
	Person

	Until time.Time `json:"until"`
}

func (d *Door) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// begin starts a session of p.
func (d *Door) begin(w http.ResponseWriter, r *http.Request, p Person) error {
	life := d.Life
	if life == 0 {
		life = 8 * time.Hour
	}
	p.ID, p.Name = short(p.ID), short(p.Name)
	return d.seal(w, r, sessionCookie, session{p, d.now().Add(life)}, life)
}

// short keeps a name within what a cookie holds.
func short(name string) string {
	const most = 200
	if runes := []rune(name); len(runes) > most {
		return string(runes[:most])
	}
	return name
}

// session returns the person of a valid session.
func (d *Door) session(r *http.Request) (Person, bool) {
	var s session
	if d.unseal(r, sessionCookie, &s) != nil || !d.now().Before(s.Until) {
		return Person{}, false
	}
	return s.Person, s.Role == Admin || s.Role == Viewer
}

// sealer returns what seals cookies, with a key that is made from the session key.
func (d *Door) sealer(ctx context.Context) (cipher.AEAD, error) {
	key, err := d.SessionKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("read session key: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seals != nil && d.sealsFor == key {
		return d.seals, nil
	}
	if len(key) < 32 {
		return nil, fault.New(fault.Invalid, "The session key needs at least 32 characters.")
	}
	derived, err := hkdf.Key(sha256.New, []byte(key.Expose()), nil, "session cookies", 32)
	if err != nil {
		return nil, fmt.Errorf("derive key of sessions: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("use key of sessions: %w", err)
	}
	seals, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("use key of sessions: %w", err)
	}
	d.seals, d.sealsFor = seals, key
	return seals, nil
}

// seal sets a cookie that only this deployment can read or make. It is good under
// its own name alone.
func (d *Door) seal(w http.ResponseWriter, r *http.Request, name string, v any, life time.Duration) error {
	seals, err := d.sealer(r.Context())
	if err != nil {
		return err
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("seal cookie %s: %w", name, err)
	}
	sealed := seals.Seal(nil, nil, plain, []byte(name)) //nolint:gosec // the cipher makes its nonce itself
	d.setCookie(w, name, base64.RawURLEncoding.EncodeToString(sealed), int(life.Seconds()))
	return nil
}

func (d *Door) unseal(r *http.Request, name string, v any) error {
	cookie, err := r.Cookie(d.cookieName(name))
	if err != nil {
		return fmt.Errorf("read cookie: %w", err)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return fmt.Errorf("open cookie %s: %w", name, err)
	}
	seals, err := d.sealer(r.Context())
	if err != nil {
		return err
	}
	plain, err := seals.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return fmt.Errorf("open cookie %s: %w", name, err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("open cookie %s: %w", name, err)
	}
	return nil
}

func (d *Door) secure() bool { return !strings.HasPrefix(d.PublicURL, "http://") }

// cookieName binds the cookie to this host, where the browser can see to it. On
// one machine, where cookies know no port, it names the port.
func (d *Door) cookieName(name string) string {
	if d.secure() {
		return "__Host-" + name
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(d.PublicURL, "http://"), ":")
	return name + port
}

func (d *Door) setCookie(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure but for http on this machine
		Name: d.cookieName(name), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: d.secure(), SameSite: http.SameSiteLaxMode,
	})
}
