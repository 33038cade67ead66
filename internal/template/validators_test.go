package template_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/statemachines"
)

func TestCfnLintFindsNothing(t *testing.T) {
	tool := awstest.Tool(t, "cfn/bin/cfn-lint")
	if out, err := output(t.Context(), awstest.Root(t), tool, "--info", "template.yaml"); err != nil || strings.Contains(string(out), "template.yaml:") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSamValidateFindsNothing(t *testing.T) {
	tool := awstest.Tool(t, "sam/bin/sam")
	out, err := output(t.Context(), awstest.Root(t), tool, "validate", "--lint", "--template", "template.yaml")
	if err != nil || !strings.Contains(string(out), "is a valid SAM Template") {
		t.Errorf("%v\n%s", err, out)
	}
}

// broken returns a copy of the template in which one text is another.
func broken(t *testing.T, from, to string) string {
	t.Helper()
	text, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) == 0 {
		t.Fatalf("the template does not say %q", from)
	}
	name := filepath.Join(t.TempDir(), "template.yaml")
	if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestValidatorsNoticeABrokenTemplate(t *testing.T) {
	lint, sam := awstest.Tool(t, "cfn/bin/cfn-lint"), awstest.Tool(t, "sam/bin/sam")
	if out, err := output(t.Context(), awstest.Root(t), lint, broken(t, "BillingMode: PAY_PER_REQUEST", "BillingMode: SOMETIMES")); err == nil {
		t.Errorf("cfn-lint accepts it: %s", out)
	}
	if out, err := output(t.Context(), awstest.Root(t), sam, "validate", "--lint", "--template", broken(t, "DefinitionUri: ", "DefinitionUrl: ")); err == nil {
		t.Errorf("sam validate accepts it: %s", out)
	}
}

// written returns the machine files, filled as the template fills them.
func written(t *testing.T, change func(string) string) []string {
	t.Helper()
	var files []string
	for _, name := range []string{"chain", "extract", "load"} {
		text, err := fs.ReadFile(statemachines.Files, name+".asl.json")
		if err != nil {
			t.Fatal(err)
		}
		filled := regexp.MustCompile(`\$\{(\w+)Function\}`).ReplaceAllString(string(text), "arn:aws:lambda:eu-central-1:123456789012:function:$1")
		filled = regexp.MustCompile(`\$\{(\w+)Machine\}`).ReplaceAllString(filled, "arn:aws:states:eu-central-1:123456789012:stateMachine:$1:1")
		file := filepath.Join(t.TempDir(), name+".asl.json")
		if err := os.WriteFile(file, []byte(change(filled)), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, "--json-path", file)
	}
	return files
}

func TestAslValidatorFindsNothingAndNoticesABrokenMachine(t *testing.T) {
	tool := awstest.Tool(t, "node/node_modules/.bin/asl-validator")
	if out, err := output(t.Context(), awstest.Root(t), tool, written(t, func(text string) string { return text })...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	dangling := written(t, func(text string) string { return strings.Replace(text, `"Next": "IsPlanned"`, `"Next": "Nowhere"`, 1) })
	if out, err := output(t.Context(), awstest.Root(t), tool, dangling...); err == nil {
		t.Errorf("a dangling state is accepted: %s", out)
	}
}

// The expressions of the machines, with every input that a test gives them, are
// kept with the reference's results; the reference must still say the same.
func TestTheReferenceOfJSONataGivesTheKeptResults(t *testing.T) {
	awstest.Tool(t, "node/node_modules/jsonata/package.json")
	testdata := filepath.Join(awstest.Root(t), "internal/machine/localmachine/testdata")
	kept, err := os.ReadFile(filepath.Join(testdata, "expressions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	input := withoutResults(t, kept)
	file := filepath.Join(t.TempDir(), "expressions.jsonl")
	if err := os.WriteFile(file, input, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := output(t.Context(), filepath.Join(awstest.Root(t), ".tools/node"), "node", filepath.Join(testdata, "reference.mjs"), file); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(kept), "\n"), strings.Split(string(now), "\n")
	if bytes.Equal(input, kept) || len(was) != len(is) {
		t.Fatalf("%d lines were kept, %d came back", len(was), len(is))
	}
	for i := range was {
		if was[i] != is[i] {
			t.Errorf("line %d: kept %s, the reference says %s", i+1, was[i], is[i])
		}
	}
}

// withoutResults takes out what the reference is to find again.
func withoutResults(t *testing.T, lines []byte) []byte {
	t.Helper()
	var out []byte
	for line := range bytes.Lines(lines) {
		var one struct {
			Expression string          `json:"expression"`
			Bindings   json.RawMessage `json:"bindings"`
		}
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		input, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, input...), '\n')
	}
	return out
}

// maxZip is the most that a function's package may weigh, packed as sam deploy
// packs it.
const maxZip = 6 << 20

func TestSamBuildsEveryFunctionAsASmallStaticBinary(t *testing.T) {
	tool, dir := awstest.Tool(t, "sam/bin/sam"), t.TempDir()
	t.Setenv("GOARCH", "")
	out, err := output(t.Context(), awstest.Root(t), tool, "build", "--template", "template.yaml", "--build-dir", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, one := range real(t).functions() {
		name := filepath.Join(dir, one, "bootstrap")
		if size := zipped(t, name); size > maxZip {
			t.Errorf("%s weighs %d bytes, want at most %d", one, size, maxZip)
		} else {
			t.Logf("%s weighs %.1f MB", one, float64(size)/(1<<20))
		}
		file, err := elf.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := file.ImportedLibraries()
		if err != nil || len(libraries) > 0 || file.Machine != elf.EM_AARCH64 {
			t.Errorf("%s is built for %s and needs %q, %v", one, file.Machine, libraries, err)
		}
		_ = file.Close()
	}
}

func zipped(t *testing.T, name string) int64 {
	t.Helper()
	file := name + ".zip"
	if out, err := output(t.Context(), filepath.Dir(name), awstest.Tool(t, "sam/bin/python"), "-m", "zipfile", "-c", file, filepath.Base(name)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestDeployWithoutCredentialsSaysWhatToDo(t *testing.T) {
	awstest.Tool(t, "sam/bin/sam")
	_, err := output(context.Background(), awstest.Root(t), "make", "--no-print-directory", "deploy")
	want := "No AWS account is signed in, or no region is set: sign in (aws sso login, or AWS_PROFILE), set AWS_REGION, then repeat make deploy."
	if err == nil || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("make deploy says %v", err)
	}
}
