package signin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"hubspotconnector/internal/signin"
)

func newLaptop(t *testing.T) (origin, link string) {
	t.Helper()
	var handler http.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	d, link := signin.NewLink(signin.Config{PublicURL: s.URL, SessionKey: key(sessionKey)})
	handler = pages(d)
	return s.URL, link
}

func TestTheLinkOpensOnce(t *testing.T) {
	origin, link := newLaptop(t)
	if !strings.HasPrefix(link, origin+"/?token=") {
		t.Fatalf("link %s", link)
	}
	c := browser(t)
	if p := get(t, c, link); p.status != 200 || p.url != origin+"/" || p.body != "true operator Operator admin" {
		t.Errorf("%d at %s: %s", p.status, p.url, p.body)
	}
	if p := get(t, browser(t), link); p.status != 403 || !strings.Contains(p.body, "used before") {
		t.Errorf("replayed: %d %s", p.status, p.body)
	}
	if p := get(t, c, link); p.status != 200 {
		t.Errorf("reloaded by the same person: %d %s", p.status, p.body)
	}
}

func TestOfManyWhoOpenTheLinkAtOnceOneComesIn(t *testing.T) {
	_, link := newLaptop(t)
	var in sync.Map
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if p := get(t, browser(t), link); p.status == 200 {
				in.Store(i, true)
			}
		})
	}
	all.Wait()
	n := 0
	in.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d came in", n)
	}
}

func TestWithoutTheLinkNothingOpens(t *testing.T) {
	origin, link := newLaptop(t)
	for _, address := range []string{origin + "/?token=", origin + "/?token=x", link + "x", origin + "/"} {
		if p := get(t, browser(t), address); p.status != 401 && p.status != 403 {
			t.Errorf("%s: %d %s", address, p.status, p.body)
		}
	}
	if p := get(t, stranger(), origin+"/api/jobs", bearer("x")); p.status != 401 {
		t.Errorf("a bearer token: %d", p.status)
	}
	if p := do(t, browser(t), http.MethodPost, link); p.status == 200 {
		t.Error("a POST opens")
	}
	if p := get(t, browser(t), link); p.status != 200 {
		t.Errorf("the right one after wrong ones: %d", p.status)
	}
}
