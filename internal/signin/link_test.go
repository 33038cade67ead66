package signin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"hubspotconnector/internal/signin"
)

const programs = "a-token-of-more-than-32-characters-for-programs"

func newLaptop(t *testing.T) (origin, link string) {
	t.Helper()
	var handler http.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	d, link := signin.NewLink(signin.Config{PublicURL: s.URL, SessionKey: key(sessionKey)})
	d.TakeToken(programs)
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

func TestALaptopTakesItsOwnTokenFromPrograms(t *testing.T) {
	origin, link := newLaptop(t)
	_, opens, _ := strings.Cut(link, "token=")
	for _, tt := range []struct {
		name, token string
		want        int
	}{
		{"its own", programs, 200},
		{"another", programs + "x", 401},
		{"a part of it", programs[:32], 401},
		{"none", "", 401},
		{"that of the link", opens, 401},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tt.token)
		resp, err := browser(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.want || len(resp.Cookies()) > 0 {
			t.Errorf("%s: %d with cookies %v, want %d", tt.name, resp.StatusCode, resp.Cookies(), tt.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a short token is taken")
		}
	}()
	(&signin.Door{}).TakeToken("short")
}
