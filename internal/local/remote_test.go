package main_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/api"
	"hubspotconnector/internal/blob/dirblob"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/mail/dirmail"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/signin"
	"hubspotconnector/internal/table/bolttable"
)

const remoteToken = "canary-token-of-a-deployment"

// deployment is the API of a connector that the command knows by its address alone.
type deployment struct {
	t      *testing.T
	portal *hubspotsim.Portal
	target *gainsightsim.Sim
	ids    atomic.Int64
	lose   atomic.Int64 // so many answers to starts are lost
	url    string
	dir    string
}

func (d *deployment) newID() string { return fmt.Sprintf("01J00000000000000000%06d", d.ids.Add(1)) }

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, dir: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const back = "http://localhost:8976/oauth/callback"
	source := hubspotsim.New(hubspotsim.Options{AutoApprove: true, Limits: hubspotsim.Limits{Off: true}})
	source.AddApp("client", clientSecret, []string{back})
	d.portal = source.AddPortal(portalID, "customer.example")
	d.target = gainsightsim.New(gainsightsim.Options{AccessKey: accessKey, Limits: gainsightsim.Limits{Off: true}})
	d.target.Prepare(portalID)
	table, err := bolttable.Open(filepath.Join(d.dir, "table.db"), bolttable.Options{NoSync: true})
	must(err)
	t.Cleanup(func() { _ = table.Close() })
	files, err := dirblob.Open(filepath.Join(d.dir, "files"), dirblob.Options{NoSync: true})
	must(err)
	sealer, err := filesealer.Open(filepath.Join(d.dir, "key"))
	must(err)
	sys, err := inprocess.New(connector.Settings{
		HubSpot: hubspot.Config{
			ClientID: "client", ClientSecret: clientSecret, RedirectURL: back, APIURL: "https://api.hubspot.test", AppURL: "https://app.hubspot.test", Version: "2026-09",
		},
		Gainsight: gainsight.Config{URL: "https://acme.gainsight.test", AccessKey: accessKey},
	}, connector.Ports{
		Table: table, Bucket: files, Sealer: sealer, Sender: dirmail.Folder{Dir: filepath.Join(d.dir, "mail")}, NewID: d.newID,
		HubSpotHTTP: &http.Client{Transport: source.Transport()}, GainsightHTTP: &http.Client{Transport: d.target.Transport()},
	}, slog.New(slog.DiscardHandler))
	must(err)
	t.Cleanup(sys.Close)
	c, err := sys.Connections.Create(t.Context(), "HubSpot", "ann")
	must(err)
	page, err := sys.Flow.Begin(t.Context(), c.ID, "ann")
	must(err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	must(err)
	resp, err := source.Transport().RoundTrip(r)
	must(err)
	_ = resp.Body.Close()
	u, err := url.Parse(resp.Header.Get("Location"))
	must(err)
	_, err = sys.Flow.Callback(t.Context(), u.Query().Get("code"), u.Query().Get("state"), "")
	must(err)
	front := api.New(api.Options{Admin: &admin.Service{Connector: sys.Connector, Machines: sys.Machines, NewID: d.newID}, Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+remoteToken {
			r = r.WithContext(signin.WithPerson(r.Context(), signin.Person{ID: "robot@example.com", Name: "Robot", Role: signin.Admin}))
		}
		if strings.HasSuffix(r.URL.Path, "/run") && d.lose.Add(-1) >= 0 {
			front.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		front.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

// command runs the command against the deployment.
func (d *deployment) command(token string, args ...string) (out, errs string, ok bool) {
	d.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(d.t.Context()), binary, append(args, "-api", d.url)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "HOME="+d.dir, "XDG_CONFIG_HOME="+d.dir, "HUBSPOT_GAINSIGHT_TOKEN="+token)
	err := cmd.Run()
	if strings.Contains(stdout.String()+stderr.String(), remoteToken) {
		d.t.Error("the command tells the token")
	}
	return stdout.String(), stderr.String(), err == nil
}

func TestTheCommandsWorkAgainstADeployment(t *testing.T) {
	d := newDeployment(t)
	long := d.portal.Create("companies", map[string]string{"name": strings.Repeat("long ", 200)})
	d.portal.Create("companies", map[string]string{"name": "Acme"})

	d.lose.Store(1) // the start is sent again and starts once
	out, errs, ok := d.command(remoteToken, "sync", "-job", "company sync_hubspot", "-mode", "full")
	if !ok || !strings.Contains(out, "Partial Success") || !strings.Contains(out, "1 TOO_LONG") {
		t.Fatalf("sync: %v\n%s%s", ok, out, errs)
	}
	if rows := strings.Count(out, "Company Sync_HubSpot"); rows == 0 {
		t.Errorf("sync does not name the job:\n%s", out)
	}

	out, errs, ok = d.command(remoteToken, "find", long)
	if !ok || !strings.Contains(out, "Company Sync_HubSpot: rejected") || !strings.Contains(out, "TOO_LONG") {
		t.Errorf("find: %v\n%s%s", ok, out, errs)
	}

	file := filepath.Join(d.dir, "jobs.yaml")
	if out, errs, ok = d.command(remoteToken, "export", file); !ok {
		t.Fatalf("export: %s%s", out, errs)
	}
	if out, errs, ok = d.command(remoteToken, "apply", file); !ok || !strings.Contains(out, "Nothing changed") {
		t.Errorf("apply of what was exported: %s%s", out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), "HUBSPOT_Company Person Sync", "Another chain", 1)
	if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, ok = d.command(remoteToken, "apply", file); !ok || !strings.Contains(out, `created chain "Another chain"`) {
		t.Errorf("apply: %s%s", out, errs)
	}
	if err := os.WriteFile(file, []byte(edited+"nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, ok = d.command(remoteToken, "apply", file); ok || !strings.Contains(errs, "line ") {
		t.Errorf("apply of a wrong file: %v, %s", ok, errs)
	}
}

func TestADeploymentThatRefusesIsToldInASentence(t *testing.T) {
	d := newDeployment(t)
	for _, tt := range []struct {
		name, token string
		args        []string
		want        string
	}{
		{"no token", "", []string{"export", "-"}, "HUBSPOT_GAINSIGHT_TOKEN"},
		{"a wrong token", "wrong", []string{"export", "-"}, "does not accept the token"},
		{"an unknown job", remoteToken, []string{"sync", "-job", "Nothing"}, "User Sync_HubSpot"},
		{"a bad mode", remoteToken, []string{"sync", "-mode", "fast"}, "changes or full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d.t = t
			if out, errs, ok := d.command(tt.token, tt.args...); ok || !strings.Contains(errs, tt.want) {
				t.Errorf("%v\n%s%s", ok, out, errs)
			}
		})
	}
	d.url = "http://sync.example.com" // where the token would be read on the way
	if _, errs, ok := d.command(remoteToken, "export", "-"); ok || !strings.Contains(errs, "https") {
		t.Errorf("a token for http: %s", errs)
	}
}
