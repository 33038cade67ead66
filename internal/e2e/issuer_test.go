package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer is an OpenID Connect issuer with one person, an admin, who needs no
// password.
type issuer struct {
	url string
	t   *testing.T
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	nonces map[string]string // :: code → the nonce that was sent for it
}

// client is the deployment's id at the issuer.
const client = "console"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &issuer{t: t, key: key, nonces: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		is.answer(w, map[string]any{
			"issuer": is.url, "authorization_endpoint": is.url + "/authorize", "token_endpoint": is.url + "/token", "jwks_uri": is.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		is.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("/authorize", is.authorize)
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		is.mu.Lock()
		nonce := is.nonces[r.FormValue("code")]
		is.mu.Unlock()
		is.answer(w, map[string]any{"access_token": "none", "token_type": "Bearer", "id_token": is.tokenOf(nonce)})
	})
	is.url = listen(t, mux)
	return is
}

func (is *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q, code := r.URL.Query(), rand.Text()
	is.mu.Lock()
	is.nonces[code] = q.Get("nonce")
	is.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

func (is *issuer) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		is.t.Error(err)
	}
}

// tokenOf returns a token of the admin.
func (is *issuer) tokenOf(nonce string) string {
	claims, err := json.Marshal(map[string]any{
		"iss": is.url, "aud": client, "sub": "ada", "name": "Ada", "roles": []string{"admin"}, "nonce": nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		is.t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: is.key, KeyID: "k"}}, nil)
	if err != nil {
		is.t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		is.t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		is.t.Fatal(err)
	}
	return token
}
