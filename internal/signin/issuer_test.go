package signin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID     = "console"
	clientSecret = "canary-client-secret"
)

// issuer is an OpenID Connect issuer of the tests, with its own keys. It lets
// everybody in who comes with a right request.
type issuer struct {
	*httptest.Server
	t   *testing.T
	key *ecdsa.PrivateKey
	now func() time.Time

	mu     sync.Mutex
	codes  map[string]url.Values // :: code → the authorize request
	claims map[string]any        // of the next tokens, beside the standard ones
	asked  int                   // discoveries
}

func newIssuer(t *testing.T, now func() time.Time) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &issuer{t: t, key: key, now: now, codes: map[string]url.Values{}, claims: map[string]any{"roles": []string{"admin"}}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", is.discover)
	mux.HandleFunc("/authorize", is.authorize)
	mux.HandleFunc("/token", is.token)
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	is.Server = httptest.NewServer(mux)
	t.Cleanup(is.Close)
	return is
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (is *issuer) discover(w http.ResponseWriter, _ *http.Request) {
	is.mu.Lock()
	is.asked++
	is.mu.Unlock()
	answer(w, 200, map[string]any{
		"issuer": is.URL, "authorization_endpoint": is.URL + "/authorize", "token_endpoint": is.URL + "/token", "jwks_uri": is.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"ES256"},
	})
}

func (is *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, want := range map[string]string{"client_id": clientID, "response_type": "code", "code_challenge_method": "S256"} {
		if q.Get(name) != want {
			is.t.Errorf("authorize: %s = %q, want %q", name, q.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 20 {
			is.t.Errorf("authorize: %s = %q can be guessed", name, q.Get(name))
		}
	}
	code := rand.Text()
	is.mu.Lock()
	is.codes[code] = q
	is.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

func (is *issuer) token(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	asked, known := is.codes[r.FormValue("code")]
	delete(is.codes, r.FormValue("code")) // once
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, password, _ := r.BasicAuth()
	good := known && base64.RawURLEncoding.EncodeToString(sum[:]) == asked.Get("code_challenge") &&
		r.FormValue("redirect_uri") == asked.Get("redirect_uri") && (id == clientID && password == clientSecret)
	if !good {
		answer(w, 400, map[string]string{"error": "invalid_grant"})
		return
	}
	claims := map[string]any{"nonce": asked.Get("nonce")}
	maps.Copy(claims, is.claims)
	answer(w, 200, map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": is.sign(is.key, claims)})
}

// sign makes a token with the standard claims, which claims may replace; nil
// takes one out.
func (is *issuer) sign(key *ecdsa.PrivateKey, claims map[string]any) string {
	all := map[string]any{
		"iss": is.URL, "aud": clientID, "sub": "u-1", "email": "ann@acme.example", "name": "Ann Admin",
		"iat": is.now().Unix(), "exp": is.now().Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(all)
	if err != nil {
		is.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		is.t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		is.t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		is.t.Fatal(err)
	}
	return compact
}

// say sets the claims of the next tokens.
func (is *issuer) say(claims map[string]any) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.claims = claims
}

// browser keeps cookies and follows redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// page is an answer that was read.
type page struct {
	status int
	url    string
	body   string
	header http.Header
}

func get(t *testing.T, c *http.Client, address string, edit ...func(*http.Request)) page {
	t.Helper()
	return do(t, c, http.MethodGet, address, edit...)
}

func do(t *testing.T, c *http.Client, method, address string, edit ...func(*http.Request)) page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	for _, e := range edit {
		e(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body strings.Builder
	buf := make([]byte, 1<<16)
	for {
		n, err := resp.Body.Read(buf)
		body.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return page{resp.StatusCode, resp.Request.URL.String(), body.String(), resp.Header}
}

// stranger is a program without cookies.
func stranger() *http.Client { return &http.Client{} }
