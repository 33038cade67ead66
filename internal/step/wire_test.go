package step_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
	"hubspotconnector/internal/step"
	"hubspotconnector/internal/step/extract"
	"hubspotconnector/internal/step/finish"
	"hubspotconnector/internal/step/notify"
	"hubspotconnector/internal/step/plan"
	"hubspotconnector/internal/step/sweep"
	"hubspotconnector/internal/step/transform"
	"hubspotconnector/internal/step/upsert"
)

// forms :: file name up to its first dot → the type that reads it
func forms() map[string]func() any {
	return map[string]func() any{
		"plan-input": func() any { return new(plan.Input) }, "plan-output": func() any { return new(plan.Output) },
		"extract-input": func() any { return new(extract.Input) }, "extract-output": func() any { return new(extract.Output) },
		"transform-input": func() any { return new(transform.Input) }, "transform-output": func() any { return new(transform.Output) },
		"upsert-input": func() any { return new(upsert.Input) }, "upsert-output": func() any { return new(upsert.Output) },
		"finish-input": func() any { return new(finish.Input) }, "finish-output": func() any { return new(finish.Output) },
		"notify-input": func() any { return new(notify.Input) }, "notify-output": func() any { return new(step.Turn) },
		"sweep-output": func() any { return new(sweep.Output) },
		"stored-round": func() any { return new(run.Round) }, "stored-run": func() any { return new(run.Run) },
		"stored-extraction": func() any { return new(run.Extraction) }, "stored-part": func() any { return new(run.Part) },
		"stored-watermark": func() any { return new(run.Watermark) }, "stored-rejects": func() any { return new([]record.Reject) },
		"stored-print": func() any { return new(delta.Print) }, "stored-claim": func() any { return new(delta.Claim) },
		"staged-plan": func() any { return new(staging.Plan) }, "staged-entry": func() any { return new(staging.Entry) },
		"staged-record": func() any { return new(record.Record) }, "staged-mark": func() any { return new(mark.Mark) },
	}
}

// ignored are fields that a machine hands over and nobody reads.
func ignored(path string) bool {
	return path == "finish-input.extract.parts" || path == "finish-input.first.status"
}

// Whatever was written by an earlier version must be read whole: every field of
// a form comes back with its value when it is read and written again.
func TestOldFormsAreReadWhole(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.json")
	if err != nil {
		t.Fatal(err)
	}
	unseen := forms()
	for _, file := range files {
		name, _, _ := strings.Cut(filepath.Base(file), ".")
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			form, known := forms()[name]
			if !known {
				t.Fatalf("nobody reads %s", name)
			}
			delete(unseen, name)
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			v := form()
			if err := json.Unmarshal(old, v); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			now := flat(t, name, again)
			for path, want := range flat(t, name, old) {
				if got, there := now[path]; !ignored(path) && (!there || got != want) {
					t.Errorf("%s is %s, was %s", path, got, want)
				}
			}
		})
	}
	if len(unseen) > 0 {
		t.Errorf("no file shows the forms of %q", slices.Sorted(maps.Keys(unseen)))
	}
}

// flat returns the leaves of a JSON document by their path.
func flat(t *testing.T, path string, doc []byte) map[string]string {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(string(doc)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	leaves := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, one := range v {
				walk(path+"."+name, one)
			}
		case []any:
			for i, one := range v {
				walk(fmt.Sprint(path, "[", i, "]"), one)
			}
		default:
			leaves[path] = fmt.Sprintf("%T %v", v, v)
		}
	}
	walk(path, v)
	return leaves
}
