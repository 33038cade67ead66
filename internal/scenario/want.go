package scenario

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"hubspotconnector/internal/gainsight/gainsightsim"
)

// check compares a want/ file with what came of the scenario.
func (w *world) check(f txtar.File) {
	w.t.Helper()
	name, text := strings.TrimPrefix(f.Name, "want/"), strings.TrimSpace(string(f.Data))
	switch {
	case name == "runs":
		w.diff(f.Name, strings.Split(text, "\n"), w.lines)
	case name == "statuses":
		w.checkStatuses(text, 0)
	case name == "last":
		w.checkStatuses(text, len(w.lines)-len(strings.Split(text, "\n")))
	case name == "runs-contain":
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); !strings.Contains(strings.Join(w.lines, "\n"), line) {
				w.t.Errorf("nothing that was said contains %q: %q", line, w.lines)
			}
		}
	case name == "calls":
		w.checkCalls(text)
	case strings.HasPrefix(name, "errors"):
		w.checkErrors(name, text)
	case strings.HasPrefix(name, "gainsight/"):
		w.checkRows(strings.TrimSuffix(strings.TrimPrefix(name, "gainsight/"), ".jsonl"), text)
	case name == "order":
		w.checkOrder(text)
	case name == "kept":
		w.checkList(f.Name, text, w.kept())
	case name == "jobs":
		w.checkList(f.Name, text, w.jobs())
	case name == "chains":
		w.checkList(f.Name, text, w.chains())
	case name == "activity":
		w.diff(f.Name, strings.Split(text, "\n"), w.activity())
	case name == "connection":
		c, err := w.sys.Connections.Get(w.t.Context(), w.connection)
		if err != nil {
			w.t.Fatal(err)
		}
		w.diff(f.Name, text, string(c.Status))
	default:
		w.t.Fatalf("nothing is known to compare %s with", f.Name)
	}
}

func (w *world) diff(name string, want, got any) {
	w.t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		w.t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

// checkStatuses compares the runs' jobs and statuses alone, from one run on.
func (w *world) checkStatuses(text string, from int) {
	w.t.Helper()
	var got []string
	for _, line := range w.lines[max(from, 0):] {
		status, _, _ := strings.Cut(line, ";")
		got = append(got, status)
	}
	w.diff("want/statuses", strings.Split(text, "\n"), got)
}

// checkCalls compares the calls of the named classes since the last reset:
// "gainsight.insert 2", also "gainsight.insert <= 2".
func (w *world) checkCalls(text string) {
	w.t.Helper()
	got := w.since()
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		var want int
		if _, err := fmt.Sscan(fields[len(fields)-1], &want); err != nil {
			w.t.Fatalf("want/calls: %q: %v", line, err)
		}
		n := got[fields[0]]
		atMost := len(fields) == 3 && fields[1] == "<="
		if n != want && (!atMost || n > want) {
			w.t.Errorf("%s: %d calls, want %s; all calls: %v", fields[0], n, strings.Join(fields[1:], " "), got)
		}
	}
}

// checkErrors compares the columns that the wanted file names, line by line. It
// is the newest error file, or errors-2.csv for the second.
func (w *world) checkErrors(name, text string) {
	w.t.Helper()
	n := len(w.errors)
	if _, err := fmt.Sscanf(name, "errors-%d.csv", &n); err == nil || n > 0 {
		if n < 1 || n > len(w.errors) {
			w.t.Fatalf("%s: there are %d error files", name, len(w.errors))
		}
	}
	if text == "" {
		if n != 0 {
			w.t.Errorf("want no error file, got %s", w.errors[n-1])
		}
		return
	}
	if n == 0 {
		w.t.Fatalf("%s: there is no error file", name)
	}
	want, got := w.table(text), w.table(strings.TrimPrefix(w.errors[n-1], "\uFEFF"))
	columns := make([]int, len(want[0]))
	for i, column := range want[0] {
		if columns[i] = slices.Index(got[0], column); columns[i] < 0 {
			w.t.Fatalf("the error file has no column %q, only %q", column, got[0])
		}
	}
	for r, line := range got {
		cut := make([]string, len(columns))
		for i, c := range columns {
			cut[i] = line[c]
		}
		got[r] = cut
	}
	w.diff(name, want, got)
}

func (w *world) table(text string) [][]string {
	w.t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, line := range lines {
		for i, cell := range line {
			if id, ok := w.names[strings.TrimPrefix(cell, "$")]; ok && strings.HasPrefix(cell, "$") {
				line[i] = id
			}
		}
	}
	return lines
}

// checkRows compares all rows of an object by the fields that each wanted line
// names. "$x" stands for the id of the record that the scenario calls x, and
// "@company/Name/Acme" for the GSID of that row.
func (w *world) checkRows(object, text string) {
	w.t.Helper()
	var want []map[string]any
	fields := map[string]bool{}
	for line := range strings.Lines(text) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			w.t.Fatalf("want/gainsight/%s: %q: %v", object, line, err)
		}
		for name, value := range row {
			fields[name], row[name] = true, w.resolve(value)
		}
		want = append(want, row)
	}
	var got []map[string]any
	for row := range w.target.Rows(object) {
		cut := map[string]any{}
		for name := range fields {
			cut[name] = jsonValue(row, name)
		}
		got = append(got, cut)
	}
	for _, row := range want {
		for name := range fields {
			if _, named := row[name]; !named {
				row[name] = nil
			}
		}
	}
	w.diff("rows of "+object, texts(want), texts(got))
}

func jsonValue(row gainsightsim.Row, name string) any {
	v, ok := row[name]
	if !ok {
		return nil
	}
	return v
}

func (w *world) resolve(v any) any {
	s, ok := v.(string)
	if !ok || s == "" {
		return v
	}
	if id, named := w.names[s[1:]]; named && s[0] == '$' {
		return id
	}
	if object, match, _ := strings.Cut(s[1:], "/"); s[0] == '@' {
		field, value, _ := strings.Cut(match, "/")
		return w.gsid(object, field+":"+value)
	}
	return v
}

// texts are rows as JSON, sorted.
func texts(rows []map[string]any) []string {
	var lines []string
	for _, row := range rows {
		line, err := json.Marshal(row) // with sorted names
		if err != nil {
			panic(err)
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	return lines
}
