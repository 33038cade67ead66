package hubspotsim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

// clients reach the simulator in the process and through a socket.
func clients(t *testing.T, sim *hubspotsim.Sim) map[string]func(path string) (*http.Response, error) {
	t.Helper()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	token, _ := sim.AddPortal(7, "seven.example").Token(appID)
	get := func(client *http.Client, base string) func(string) (*http.Response, error) {
		return func(path string) (*http.Response, error) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			return client.Do(r)
		}
	}
	// Go sends a request again whose reused connection broke before the answer.
	once := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return map[string]func(string) (*http.Response, error){
		"in process": get(&http.Client{Transport: sim.Transport()}, "https://api.hubapi.com"), //nolint:bodyclose // closed where it is called
		"by socket":  get(once, server.URL),                                                   //nolint:bodyclose // closed where it is called
	}
}

const accountPath = "/account-info/" + v + "/details"

func TestBrokenConnections(t *testing.T) {
	w := start(t, free())
	for name, get := range clients(t, w.sim) { //nolint:bodyclose // closed where it is called
		for kind, fault := range map[string]hubspotsim.Fault{"before": {Before: true}, "after": {After: true}} {
			t.Run(name+" "+kind, func(t *testing.T) {
				w.sim.SetFault(func(*http.Request, int) *hubspotsim.Fault { return &fault })
				resp, err := get(accountPath)
				if err == nil {
					_ = resp.Body.Close()
					t.Fatal("there was an answer")
				}
				if name == "in process" && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("error %v", err)
				}
			})
		}
	}
}

func TestALostAnswerWasServed(t *testing.T) {
	w := start(t, free())
	var fault hubspotsim.Fault
	w.sim.SetFault(func(*http.Request, int) *hubspotsim.Fault { return &fault })
	uninstall := func() error {
		_, err := w.send(http.MethodDelete, "/appinstalls/"+v+"/external-install", "", "")
		return err
	}
	fault = hubspotsim.Fault{Before: true}
	if uninstall() == nil {
		t.Fatal("the connection did not break")
	}
	fault = hubspotsim.Fault{}
	w.get(accountPath).wants(t, http.StatusOK)
	fault = hubspotsim.Fault{After: true}
	if uninstall() == nil {
		t.Fatal("the connection did not break")
	}
	fault = hubspotsim.Fault{}
	w.get(accountPath).wants(t, http.StatusUnauthorized)
}

func TestTruncatedBodies(t *testing.T) {
	w := start(t, free())
	for name, get := range clients(t, w.sim) { //nolint:bodyclose // closed where it is called
		for eighths := 1; eighths <= 7; eighths++ {
			w.sim.SetFault(func(*http.Request, int) *hubspotsim.Fault { return nil })
			whole := read(t, get)
			w.sim.SetFault(func(*http.Request, int) *hubspotsim.Fault { return &hubspotsim.Fault{Truncate: eighths} })
			resp, err := get(accountPath)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			part, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if !errors.Is(err, io.ErrUnexpectedEOF) || resp.StatusCode != 200 || string(part) != whole[:len(whole)*eighths/8] {
				t.Errorf("%s, %d eighths: %d of %d bytes, %v", name, eighths, len(part), len(whole), err)
			}
		}
	}
}

func read(t *testing.T, get func(string) (*http.Response, error)) string {
	t.Helper()
	resp, err := get(accountPath)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil || resp.ContentLength != int64(len(all)) {
		t.Fatalf("%v, content length %d of %d", err, resp.ContentLength, len(all))
	}
	return string(all)
}

func TestStatusFaultsAreNotServed(t *testing.T) {
	w := start(t, free())
	var seen []int
	w.sim.SetFault(func(r *http.Request, call int) *hubspotsim.Fault {
		seen = append(seen, call)
		if strings.HasSuffix(r.URL.Path, "/search") {
			return hubspotsim.TooMany("DAILY")
		}
		return &hubspotsim.Fault{Status: 477, Header: http.Header{"Retry-After": {"3600"}}, Body: "<html>moving</html>"}
	})
	answer := w.get(accountPath)
	answer.wants(t, 477, "<html>moving</html>")
	if answer.header.Get("Retry-After") != "3600" || !strings.HasPrefix(answer.header.Get("Content-Type"), "text/html") {
		t.Errorf("headers %v", answer.header)
	}
	w.post(companySearch, "{}").wants(t, 429, `"policyName":"DAILY"`, `"You have reached your daily limit."`)
	if len(seen) != 2 || seen[0] != 1 || seen[1] != 2 || w.sim.Throttled() != 0 {
		t.Errorf("calls %v, throttled %d", seen, w.sim.Throttled())
	}
}

func TestAFaultMayEditThePortal(t *testing.T) {
	w := start(t, free())
	ids := w.companies(2)
	w.sim.SetFault(func(*http.Request, int) *hubspotsim.Fault {
		w.portal.Archive("companies", ids[0])
		return nil
	})
	if got := w.get("/crm/objects/" + v + "/companies").page(t); len(got.Results) != 1 {
		t.Errorf("got %v", got.ids())
	}
}

func TestLatencyAndDelayPassInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := free()
		o.Now, o.Latency = time.Now, 300*time.Millisecond
		w := start(t, o)
		w.sim.SetFault(func(_ *http.Request, call int) *hubspotsim.Fault {
			return &hubspotsim.Fault{Delay: time.Duration(call-1) * time.Minute}
		})
		began := time.Now()
		w.get(accountPath).wants(t, http.StatusOK)
		if took := time.Since(began); took != 300*time.Millisecond {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.hubapi.com"+accountPath, nil)
		began = time.Now()
		resp, err := w.client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
