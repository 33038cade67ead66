package template_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hubspotconnector/internal/awstest"
)

// stack is the template as CloudFormation gets it.
type stack struct {
	Parameters map[string]map[string]any `json:"Parameters"`
	Conditions map[string]any            `json:"Conditions"`
	Rules      map[string]any            `json:"Rules"`
	Resources  map[string]*resource      `json:"Resources"`
	Outputs    map[string]map[string]any `json:"Outputs"`
}

type resource struct {
	Type           string         `json:"Type"`
	Condition      string         `json:"Condition"`
	DeletionPolicy string         `json:"DeletionPolicy"`
	Properties     map[string]any `json:"Properties"`
}

// translated is the real template's JSON, translated once for all tests.
var translated = sync.OnceValues(func() ([]byte, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	python := filepath.Join(root, ".tools/sam/bin/python")
	return output(context.Background(), root, python, "internal/template/testdata/translate.py", "template.yaml")
})

// real returns the template, afresh for each caller, who may change it.
func real(t *testing.T) stack {
	t.Helper()
	awstest.Tool(t, "sam/bin/python")
	doc, err := translated()
	if err != nil {
		t.Fatal(err)
	}
	var s stack
	if err := json.Unmarshal(doc, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// output runs a tool without credentials that work and returns what it prints.
func output(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none", "AWS_DEFAULT_REGION=eu-central-1",
		"AWS_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true", "SAM_CLI_TELEMETRY=0", "AWS_ENDPOINT_URL=http://127.0.0.1:9")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s%s", filepath.Base(name), err, out.String(), errs.String())
	}
	return out.Bytes(), nil
}

// of returns the logical ids of a type's resources, sorted.
func (s stack) of(types ...string) []string {
	var ids []string
	for id, r := range s.Resources {
		if slices.Contains(types, r.Type) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// functions returns the functions' logical ids; the name of each without
// "Function", in lower case, is that of its folder.
func (s stack) functions() []string { return s.of("AWS::Lambda::Function") }

func folder(id string) string { return strings.ToLower(strings.TrimSuffix(id, "Function")) }

// at returns what stands at a path of names in a value; nil if nothing does.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (s stack) prop(id string, path ...string) any {
	r := s.Resources[id]
	if r == nil {
		return nil
	}
	return at(r.Properties, path...)
}

// id returns the logical id that a Ref or a GetAtt names, "" if it is neither.
func id(v any) string {
	if ref, ok := at(v, "Ref").(string); ok {
		return ref
	}
	if att, ok := at(v, "Fn::GetAtt").([]any); ok && len(att) > 0 {
		name, _ := att[0].(string)
		return name
	}
	return ""
}

// list returns a value as a list; a single value is a list of one.
func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// texts returns all texts within a value, keys of maps included.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			out = append(out, texts(one)...)
		}
		return out
	case map[string]any:
		var out []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(append(out, k), texts(v[k])...)
		}
		return out
	}
	return nil
}

// statement is one permission of a role.
type statement struct {
	actions   []string
	resources []any
	condition any
	when      string // the condition under which it is there, "" = always
}

// statements returns the permissions of a role.
func (s stack) statements(role string) []statement {
	var out []statement
	var add func(v any, when string)
	add = func(v any, when string) {
		if choice, ok := at(v, "Fn::If").([]any); ok {
			name, _ := choice[0].(string)
			add(choice[1], name)
			add(choice[2], "not "+name)
			return
		}
		if at(v, "Effect") != "Allow" {
			return
		}
		out = append(out, statement{texts(at(v, "Action")), list(at(v, "Resource")), at(v, "Condition"), when})
	}
	for _, policy := range list(s.prop(role, "Policies")) {
		for _, one := range list(at(policy, "PolicyDocument", "Statement")) {
			add(one, "")
		}
	}
	return out
}

// may returns the actions that a role is allowed, sorted.
func (s stack) may(role string) []string {
	var out []string
	for _, one := range s.statements(role) {
		out = append(out, one.actions...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
