package template_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/metric"
	"hubspotconnector/internal/run"
	"hubspotconnector/statemachines"
)

func TestEveryFolderOfFunctionsIsAFunctionAndTheReverse(t *testing.T) {
	s := real(t)
	entries, err := os.ReadDir("../../functions")
	if err != nil {
		t.Fatal(err)
	}
	var folders, functions []string
	for _, e := range entries {
		folders = append(folders, e.Name())
	}
	for _, one := range s.functions() {
		functions = append(functions, folder(one))
	}
	slices.Sort(functions)
	if !slices.Equal(folders, functions) {
		t.Errorf("folders %q, functions %q", folders, functions)
	}
}

func TestEveryFunctionIsGivenWhatItReadsAndNothingElse(t *testing.T) {
	s := real(t)
	for _, one := range s.functions() {
		vars, _ := s.prop(one, "Environment", "Variables").(map[string]any)
		set := slices.Sorted(maps.Keys(vars))
		if reads := connector.Variables(folder(one)); !slices.Equal(reads, set) {
			t.Errorf("%s reads %q and is given %q", one, reads, set)
		}
	}
}

// definition is what is looked at in a machine file.
type definition struct {
	TimeoutSeconds int
	tasks          []task
	substitutions  []string
}

type task struct {
	name, calls string // the substitution of the function or machine
	timeout     int
}

func readMachines(t *testing.T) map[string]definition {
	t.Helper()
	out := map[string]definition{}
	for _, name := range []string{"chain", "extract", "load"} {
		text, err := fs.ReadFile(statemachines.Files, name+".asl.json")
		if err != nil {
			t.Fatal(err)
		}
		var d definition
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		timeout, _ := doc["TimeoutSeconds"].(float64)
		d.TimeoutSeconds = int(timeout)
		d.tasks = tasksIn(doc)
		for _, found := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(string(text), -1) {
			d.substitutions = append(d.substitutions, found[1])
		}
		slices.Sort(d.substitutions)
		d.substitutions = slices.Compact(d.substitutions)
		out[name] = d
	}
	return out
}

func tasksIn(v any) (out []task) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			out = append(out, tasksIn(one)...)
		}
	case map[string]any:
		for name, one := range v {
			if at(one, "Type") == "Task" {
				target, _ := at(one, "Arguments", "FunctionName").(string)
				if target == "" {
					target, _ = at(one, "Arguments", "StateMachineArn").(string)
				}
				timeout, _ := at(one, "TimeoutSeconds").(float64)
				out = append(out, task{name, strings.Trim(target, "${}"), int(timeout)})
			}
			out = append(out, tasksIn(one)...)
		}
	}
	return out
}

// A state that gave up before its function would start a second copy while the
// first still works; so it waits longer, and so does a parent for its child.
func TestEveryStateWaitsTenSecondsLongerThanWhatItCalls(t *testing.T) {
	s, files, tasks := real(t), readMachines(t), 0
	for name, d := range files {
		for _, one := range d.tasks {
			tasks++
			timeout, _ := s.prop(one.calls, "Timeout").(float64)
			if child, ok := strings.CutSuffix(one.calls, "Machine"); ok {
				timeout = float64(files[strings.ToLower(child)].TimeoutSeconds)
			}
			if timeout == 0 || one.timeout != int(timeout)+10 {
				t.Errorf("%s: %s waits %d s for %s, which may take %v s", name, one.name, one.timeout, one.calls, timeout)
			}
		}
	}
	if tasks != 11 {
		t.Errorf("the machines have %d tasks; 11 were expected", tasks)
	}
}

func TestEverySubstitutionIsUsedAndDefined(t *testing.T) {
	s := real(t)
	for name, d := range readMachines(t) {
		machine := strings.ToUpper(name[:1]) + name[1:] + "Machine"
		defined, _ := s.prop(machine, "DefinitionSubstitutions").(map[string]any)
		if got := slices.Sorted(maps.Keys(defined)); !slices.Equal(d.substitutions, got) {
			t.Errorf("%s names %q, %s defines %q", name, d.substitutions, machine, got)
		}
		for sub, value := range defined {
			if target := published(value); id(value) != sub && target != sub+"Version" {
				t.Errorf("%s: %s stands for %v", machine, sub, value)
			}
		}
		if key := fmt.Sprint(s.prop(machine, "DefinitionS3Location", "Key")); key != "statemachines/"+name+".asl.json" {
			t.Errorf("%s is defined by %s", machine, key)
		}
		may := s.statements(machine + "Role")
		for _, one := range d.tasks {
			if !slices.ContainsFunc(may, func(st statement) bool {
				return slices.ContainsFunc(st.resources, func(r any) bool { return id(r) == one.calls })
			}) {
				t.Errorf("%s may not call %s", machine, one.calls)
			}
		}
	}
}

// metricNames reads the names of all metrics from the code that defines them.
func metricNames(t *testing.T) []metric.Name {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../metric/metric.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []metric.Name
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, isIdent := spec.Type.(*ast.Ident); !isIdent || kind.Name != "Name" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value) //nolint:forcetypeassert // constants of texts
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, metric.Name(text))
		return true
	})
	if len(names) < 10 {
		t.Fatalf("found only %q", names)
	}
	return names
}

func TestAlarmsWatchMetricsThatAreMeasured(t *testing.T) {
	s := real(t)
	quotas := map[string]bool{}
	for _, vendor := range connector.New(connector.Settings{}, connector.Ports{}).Budgets {
		for _, b := range vendor {
			quotas[b.Name] = true
		}
	}
	watched := map[metric.Name]bool{}
	for _, one := range s.of("AWS::CloudWatch::Alarm") {
		for _, query := range list(s.prop(one, "Metrics")) {
			text := fmt.Sprint(at(query, "Expression", "Fn::Sub"))
			want := fmt.Sprintf("SELECT MAX(%s) FROM SCHEMA(%s, %s, %s) WHERE %s = '${AWS::StackName}'", metric.SuccessAge, metric.Namespace, metric.Chain, metric.Stack, metric.Stack)
			if text != want {
				t.Errorf("%s asks %q, want %q", one, text, want)
			}
			watched[metric.SuccessAge] = true
		}
		if s.prop(one, "Namespace") != metric.Namespace {
			continue
		}
		name := metric.Name(fmt.Sprint(s.prop(one, "MetricName")))
		unit, dimension := metric.Kind(name)
		if unit == "" {
			t.Errorf("%s watches %s, which nobody measures", one, name)
		}
		watched[name] = true
		want := map[string]bool{metric.Stack: true}
		if dimension != "" {
			want[string(dimension)] = true
		}
		got := map[string]bool{}
		for _, d := range list(s.prop(one, "Dimensions")) {
			got[fmt.Sprint(at(d, "Name"))] = true
			switch v := at(d, "Value"); at(d, "Name") {
			case metric.Stack:
				if id(v) != "AWS::StackName" {
					t.Errorf("%s watches the stack %v", one, v)
				}
			case string(metric.Quota):
				if !quotas[fmt.Sprint(v)] {
					t.Errorf("%s watches the quota %v; there are %v", one, v, quotas)
				}
			case string(metric.Status):
				if v != string(run.Failed) {
					t.Errorf("%s watches runs that ended as %v", one, v)
				}
			}
		}
		if !maps.Equal(want, got) {
			t.Errorf("%s has the dimensions %v, %s has %v", one, got, name, want)
		}
	}
	for _, need := range []metric.Name{metric.Runs, metric.ReauthorizationNeeded, metric.QuotaUse, metric.RunAge, metric.SuccessAge, metric.WebhookRejections} {
		if !watched[need] {
			t.Errorf("no alarm watches %s", need)
		}
	}
}

func TestTheDashboardShowsAllThatIsMeasured(t *testing.T) {
	s := real(t)
	body := fmt.Sprint(s.prop("Dashboard", "DashboardBody", "Fn::Sub"))
	for _, name := range metricNames(t) {
		_, dimension := metric.Kind(name)
		want := fmt.Sprintf(`"%s", "%s", "%s", "${AWS::StackName}"`, metric.Namespace, name, metric.Stack)
		if dimension != "" {
			want = fmt.Sprintf(`{%s,%s,%s} MetricName=\"%s\"`, metric.Namespace, metric.Stack, dimension, name)
		}
		if !strings.Contains(body, want) {
			t.Errorf("the dashboard lacks %s", want)
		}
	}
	for _, one := range s.functions() {
		if strings.Count(body, "${"+one+"}") < 2 {
			t.Errorf("the dashboard lacks the errors and durations of %s", one)
		}
	}
	filled := regexp.MustCompile(`\$\{!?[^}]*\}`).ReplaceAllString(body, "x")
	var doc struct {
		Widgets []json.RawMessage `json:"widgets"`
	}
	if err := json.Unmarshal([]byte(filled), &doc); err != nil || len(doc.Widgets) < 12 {
		t.Errorf("the dashboard has %d widgets: %v", len(doc.Widgets), err)
	}
}
