package template_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of permissions in README.md anew")

const (
	begin = "<!-- permissions: written by go test ./internal/template -update -->\n"
	end   = "<!-- end of permissions -->"
)

// README shows who may do what, as the template says it.
func TestReadmeShowsThePermissionsOfTheTemplate(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, hasBegin := bytes.Cut(readme, []byte(begin))
	was, after, hasEnd := bytes.Cut(rest, []byte(end))
	if !hasBegin || !hasEnd {
		t.Fatal("README.md has no place for the table of permissions")
	}
	now := permissionTable(real(t))
	if string(was) == now {
		return
	}
	if !*update {
		t.Fatalf("the table of permissions in README.md is old; go test ./internal/template -update writes\n%s", now)
	}
	whole := slices.Concat(before, []byte(begin), []byte(now), []byte(end), after)
	if err := os.WriteFile("../../README.md", whole, 0o644); err != nil {
		t.Fatal(err)
	}
}

// everybodys are the actions that a role needs to run at all: its log and trace.
func everybodys(action string) bool {
	return strings.HasPrefix(action, "logs:") || strings.HasPrefix(action, "xray:")
}

func permissionTable(s stack) string {
	var b strings.Builder
	b.WriteString("| who | may do | on |\n|---|---|---|\n")
	write := func(who string, rows map[string]string) {
		for _, on := range slices.Sorted(maps.Keys(rows)) {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", who, rows[on], on)
			who = ""
		}
	}
	common := s.rows(id(s.prop(s.functions()[0], "Role")))
	for _, one := range s.functions() {
		own := s.rows(id(s.prop(one, "Role")))
		maps.DeleteFunc(common, func(on, actions string) bool { return own[on] != actions })
	}
	write("every function", common)
	for _, one := range s.functions() {
		own := s.rows(id(s.prop(one, "Role")))
		maps.DeleteFunc(own, func(on, actions string) bool { return common[on] == actions })
		write(folder(one), own)
	}
	for _, one := range s.of("AWS::StepFunctions::StateMachine") {
		write(strings.ToLower(strings.TrimSuffix(one, "Machine"))+" machine", s.rows(id(s.prop(one, "RoleArn"))))
	}
	write("schedules", s.rows("ScheduleRole"))
	return b.String()
}

// rows returns what a role may do. :: resources → actions
func (s stack) rows(role string) map[string]string {
	rows := map[string][]string{}
	for _, one := range s.statements(role) {
		on := strings.Join(names(one.resources), ", ")
		if one.when != "" {
			on += " (if " + one.when + ")"
		}
		for _, action := range one.actions {
			if !everybodys(action) {
				rows[on] = append(rows[on], action)
			}
		}
	}
	out := map[string]string{}
	for on, actions := range rows {
		slices.Sort(actions)
		out[on] = short(slices.Compact(actions))
	}
	return out
}

var colons = regexp.MustCompile(`:+`)

// names tells resources by their name in the template.
func names(resources []any) []string {
	var out []string
	for _, r := range resources {
		name := id(r)
		if text, ok := at(r, "Fn::Sub").(string); ok {
			name = text
		} else if parts, ok := at(r, "Fn::Sub").([]any); ok {
			name = fmt.Sprint(parts[0])
		} else if name == "" {
			name = fmt.Sprint(r)
		}
		if name == "*" {
			name = "all: AWS knows no other way"
		}
		name = strings.TrimPrefix(name, "arn:${AWS::Partition}:")
		for _, cut := range []string{"${AWS::Region}", "${AWS::AccountId}", ".Arn", "${AWS::StackName}-"} {
			name = strings.ReplaceAll(name, cut, "")
		}
		out = append(out, "`"+colons.ReplaceAllString(strings.NewReplacer("${", "", "}", "").Replace(name), ":")+"`")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// short writes actions of one service together.
func short(actions []string) string {
	var out []string
	last := ""
	for _, action := range actions {
		service, verb, _ := strings.Cut(action, ":")
		if service == last {
			out[len(out)-1] += ", " + verb
			continue
		}
		out, last = append(out, action), service
	}
	return strings.Join(out, "; ")
}
