package scenario

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

// TestScenarios carries out every file of testdata, in virtual time.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) { play(t, archive) })
		})
	}
}

func play(t *testing.T, archive *txtar.Archive) {
	options, partSize := knobs(t, archive)
	w := unauthorizedWorld(t, options, partSize)
	for _, f := range archive.Files {
		switch {
		case f.Name != "options":
		case strings.Contains(string(f.Data), "unprepared"):
			w.target.RemoveField("company", "HubSpot_Account_ID_90210__gc")
		case strings.Contains(string(f.Data), "second-portal"):
			w.source.AddPortal(777, "other.example")
		case strings.Contains(string(f.Data), "window 5s"):
			w.window = 5 * time.Second
			w.start()
		}
	}
	w.authorize()
	defer func() {
		w.silence()
		w.sys.Close()
	}()
	w.calls = w.counters()
	w.config = map[string][]byte{}
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "config/"); ok {
			w.config[name] = f.Data
		}
	}
	for _, f := range archive.Files {
		if f.Name == "steps" {
			for line := range strings.Lines(string(f.Data)) {
				if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) == "" {
					continue
				}
				s, err := parseStep(line)
				if err != nil {
					t.Fatal(err)
				}
				w.do(s)
			}
		}
	}
	wants := 0
	for _, f := range archive.Files {
		switch {
		case strings.HasPrefix(f.Name, "want/"):
			w.check(f)
			wants++
		case f.Name == "steps", f.Name == "options", strings.HasPrefix(f.Name, "config/"):
		default:
			t.Fatalf("a scenario has no file %q", f.Name)
		}
	}
	if wants == 0 {
		t.Fatal("the scenario wants nothing")
	}
	w.truth(archive)
}

// knobs reads the options file: "lag 15m", "part 2", "empty-text", …
func knobs(t *testing.T, archive *txtar.Archive) (o hubspotsim.Options, partSize int) {
	t.Helper()
	for _, f := range archive.Files {
		if f.Name != "options" {
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			knob(t, strings.Fields(line), &o, &partSize)
		}
	}
	return o, partSize
}
