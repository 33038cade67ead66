package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/mapping"
)

// names writes and reads the names that depend on a connection. In a file "$$"
// stands for a dollar sign.
type names struct {
	connection string
	portal     string // "" before the first authorization
	field      *regexp.Regexp
}

func namesOf(c connection.Connection) names {
	n := names{connection: c.Name}
	if c.PortalID != 0 {
		n.portal = strconv.FormatInt(c.PortalID, 10)
		n.field = regexp.MustCompile(`_` + n.portal + `(__gc)?$`)
	}
	return n
}

// encode is the file's form of a job's or chain's name.
func (n names) encode(name string) string {
	rest, ok := strings.CutSuffix(name, "_"+n.connection)
	rest = strings.ReplaceAll(rest, "$", "$$")
	if ok {
		return rest + "_${connection}"
	}
	return rest
}

// encodeField is the file's form of a target field's name.
func (n names) encodeField(name string) (string, error) {
	if n.field == nil || !n.field.MatchString(name) {
		return strings.ReplaceAll(name, "$", "$$"), nil
	}
	at := n.field.FindStringIndex(name)[0]
	end := name[at+1+len(n.portal):]
	return strings.ReplaceAll(name[:at], "$", "$$") + "_${portal}" + end, nil
}

var placeholder = regexp.MustCompile(`\$(\$|\{[^}]*\})?`)

// decode is what a name in a file stands for.
func (n names) decode(text string) (string, error) {
	var err error
	name := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		switch found {
		case "$$":
			return "$"
		case "${connection}":
			return n.connection
		case "${portal}":
			if n.portal == "" {
				err = fmt.Errorf("%q needs the HubSpot account: authorize the connection %q first", text, n.connection)
			}
			return n.portal
		}
		err = fmt.Errorf("%q holds %q: only ${connection} and ${portal} are known, and $$ for a dollar sign", text, found)
		return found
	})
	return name, err
}

// mapFields replaces every name of a target field in a mapping, which it does
// not share with anybody afterwards. It returns the problems by path.
func mapFields(cfg *mapping.Config, convert func(string) (string, error)) map[string]error {
	problems := map[string]error{}
	set := func(path string, name *string) {
		converted, err := convert(*name)
		if err != nil {
			problems[path] = err
			return
		}
		*name = converted
	}
	cfg.Direct = slices.Clone(cfg.Direct)
	for i := range cfg.Direct {
		set(fmt.Sprintf("direct[%d].to", i), &cfg.Direct[i].To)
	}
	cfg.Derived = slices.Clone(cfg.Derived)
	for i := range cfg.Derived {
		d := &cfg.Derived[i]
		set(fmt.Sprintf("derived[%d].to", i), &d.To)
		d.Match = slices.Clone(d.Match)
		for k := range d.Match {
			set(fmt.Sprintf("derived[%d].match[%d].field", i, k), &d.Match[k].Field)
		}
	}
	return problems
}
