package localmachine_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hubspotconnector/internal/asl"
	"hubspotconnector/statemachines"
)

var update = flag.Bool("update", false, "write the inputs of testdata/expressions.jsonl anew, without results")

const golden = "testdata/expressions.jsonl"

// evaluation is a line of the golden file.
type evaluation struct {
	Expression string          `json:"expression"`
	Bindings   json.RawMessage `json:"bindings"`
	Result     json.RawMessage `json:"result,omitempty"`
}

// canonical writes JSON with sorted names, so that texts can be compared.
func canonical(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	if raw == nil {
		return ""
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// seen runs every scenario and returns its evaluations, each once.
func seen(t *testing.T) map[string]asl.Evaluation {
	t.Helper()
	out := map[string]asl.Evaluation{}
	note := func(w *world) {
		w.Close()
		for _, e := range w.evaluations {
			out[e.Expression+"\x00"+canonical(t, e.Bindings)] = e
		}
	}
	for _, s := range scenarios() {
		inBubble(t, func(t *testing.T) {
			w := newWorld(t, s.script, s.replace)
			input := s.input
			if input == "" {
				input = `{"chain":"c"}`
			}
			w.run("run", input)
			note(w)
		})
	}
	inBubble(t, func(t *testing.T) { note(sameRunsTwice(t)) })
	return out
}

func TestExpressionsGiveWhatTheReferenceGives(t *testing.T) {
	evaluations := seen(t)
	if *update {
		writeInputs(t, evaluations)
		t.Skip("the inputs are written; now let the reference fill in the results")
	}
	reference, expressions := map[string]evaluation{}, map[string]bool{}
	for _, line := range readGolden(t) {
		reference[line.Expression+"\x00"+canonical(t, line.Bindings)] = line
		expressions[line.Expression] = true
	}
	for _, k := range slices.Sorted(maps.Keys(evaluations)) {
		got := evaluations[k]
		want, known := reference[k]
		switch {
		case !known:
			t.Errorf("the golden file lacks {%% %s %%} with %s; see testdata/README.md", got.Expression, got.Bindings)
		case canonical(t, got.Result) != canonical(t, want.Result):
			t.Errorf("{%% %s %%} with %s gives %s, the reference %s", got.Expression, got.Bindings, got.Result, want.Result)
		}
	}
	for _, x := range inFiles(t) {
		if !expressions[x] {
			t.Errorf("no test evaluates {%% %s %%}", x)
		}
	}
}

func writeInputs(t *testing.T, evaluations map[string]asl.Evaluation) {
	t.Helper()
	var out bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(evaluations)) {
		e := evaluations[k]
		line, err := json.Marshal(evaluation{Expression: e.Expression, Bindings: e.Bindings})
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(line, '\n'))
	}
	if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readGolden(t *testing.T) []evaluation {
	t.Helper()
	file, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var out []evaluation
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e evaluation
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// inFiles returns every expression of the machine files.
func inFiles(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, name := range []string{"chain.asl.json", "extract.asl.json", "load.asl.json"} {
		text, err := fs.ReadFile(statemachines.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`"\{%.*?%\}"`).FindAllString(string(text), -1) {
			var x string
			if err := json.Unmarshal([]byte(found), &x); err != nil {
				t.Fatal(err)
			}
			out = append(out, strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(x, "{%"), "%}")))
		}
	}
	if len(out) < 50 {
		t.Fatalf("found only %d expressions", len(out))
	}
	return out
}
