package main_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
)

// secrets are all canaries, and what the vendors gave out.
func (w *world) secrets() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{"canary", clientSecret, accessKey, m2mSecret}, w.issued...)
}

// clean fails the test if a secret is in a file of the data folder.
func (w *world) clean(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(w.data, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		w.search(t, file, text)
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// search looks for every secret in a text, plain and as it would be encoded.
func (w *world) search(t *testing.T, where string, text []byte) {
	t.Helper()
	if z, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
		if text, err = io.ReadAll(z); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
	}
	for _, secret := range w.secrets() {
		raw := []byte(secret)
		forms := []string{
			secret, url.QueryEscape(secret), hex.EncodeToString(raw), strings.TrimRight(base64.StdEncoding.EncodeToString(raw), "="),
		}
		for _, form := range forms {
			if bytes.Contains(text, []byte(form)) {
				t.Errorf("%s holds the secret %s", where, secret)
			}
		}
	}
}

// TestSecretsAreInNoOutputAndNoFile syncs well and badly in many ways, and then
// looks at everything that the command has left.
func TestSecretsAreInNoOutputAndNoFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	run := func(args ...string) {
		t.Helper()
		r := w.run(args...)
		w.search(t, strings.Join(args, " ")+": stdout", []byte(r.stdout))
		w.search(t, strings.Join(args, " ")+": stderr", []byte(r.stderr))
	}
	summary := filepath.Join(t.TempDir(), "summary.json")
	export := filepath.Join(t.TempDir(), "export.yaml")
	w.env["HUBSPOT_CLIENT_SECRET"] = "canary-wrong-secret"
	run("sync")
	w.env["HUBSPOT_CLIENT_SECRET"] = clientSecret
	w.env["GAINSIGHT_ACCESS_KEY"] = "canary-wrong-key"
	run("sync")
	w.env["GAINSIGHT_ACCESS_KEY"] = accessKey
	run("sync", "-summary", summary)
	w.portal.ExpireTokens() // the token is refreshed
	run("sync", "-job", "User Sync_HubSpot")

	delete(w.env, "GAINSIGHT_ACCESS_KEY")
	w.env["GAINSIGHT_CLIENT_ID"], w.env["GAINSIGHT_CLIENT_SECRET"] = m2mClient, m2mSecret
	run("sync", "-mode", "full")
	// Vendors whose errors repeat what they were sent.
	w.source.SetFault(nil)
	w.target.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault {
		return &gainsightsim.Fault{Status: 500, Body: r.Header.Get("Authorization") + r.Header.Get("Accesskey") + m2mSecret}
	})
	run("sync", "-mode", "full")
	w.target.SetFault(func(r *http.Request, _ int) *gainsightsim.Fault {
		return &gainsightsim.Fault{Status: 400, Body: `{"result":false,"errorCode":"GSOBJ_1009","errorDesc":"` + r.Header.Get("Authorization") + `"}`}
	})
	run("sync", "-mode", "full")
	w.target.SetFault(nil)
	w.portal.Uninstall()
	run("sync", "-mode", "full")
	run("sync")
	run("export", export)
	run("export", "-")
	run("find", "1")
	for _, file := range []string{summary, export} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.search(t, file, text)
	}
	w.clean(t)
	if len(w.secrets()) < 4+7 { // two codes, two pairs of tokens, a new access token, an M2M token
		t.Errorf("only %d tokens were given out, so little was looked for", len(w.secrets())-4)
	}
}

// TestRecordValuesAreInNoLog allows values in staged data and in error files only.
func TestRecordValuesAreInNoLog(t *testing.T) {
	t.Parallel()
	const value = "Canary Value"
	w := newWorld(t, hubspotsim.Options{}, small)
	w.portal.Create("contacts", map[string]string{"email": "canary.value@nowhere.example", "firstname": value, "associatedcompanyid": "999999"})
	w.portal.Create("companies", map[string]string{"name": value + strings.Repeat("!", 300)})
	w.target.SetFault(func(r *http.Request, call int) *gainsightsim.Fault {
		if r.Method == "PUT" && call%7 == 0 { // the vendor repeats a value
			return &gainsightsim.Fault{Status: 400, Body: `{"result":false,"errorCode":"GSOBJ_1009","errorDesc":"` + value + ` is wrong"}`}
		}
		return nil
	})
	r := w.run("sync")
	texts := map[string]string{"stdout": r.stdout, "stderr": r.stderr}
	for _, pattern := range []string{"log.jsonl", "mail/*"} {
		files, err := filepath.Glob(filepath.Join(w.data, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no file %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = string(text)
		}
	}
	for where, text := range texts {
		if strings.Contains(strings.ToLower(text), "canary") {
			t.Errorf("%s holds a record's value:\n%s", where, text)
		}
	}
}
