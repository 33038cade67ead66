package serve

import (
	"os"
	"slices"
	"strings"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// Env reads settings from the environment. It gathers every problem, so that
// one error names them all. The zero Env reads the process's environment.
type Env struct {
	// Lookup returns a variable; nil means os.LookupEnv.
	Lookup func(name string) (string, bool)
	// Names returns the names of all variables; nil means those of the process.
	Names func() []string

	asked   []string
	missing []string
	wrong   []string
}

func (e *Env) get(name string) string {
	if !slices.Contains(e.asked, name) {
		e.asked = append(e.asked, name)
	}
	lookup := e.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	value, _ := lookup(name)
	return strings.TrimSpace(value)
}

// Lookup returns a variable of the process's environment.
func Lookup(name string) (value string, ok bool) { return os.LookupEnv(name) }

// String returns a required variable.
func (e *Env) String(name string) string {
	value := e.get(name)
	if value == "" {
		e.Missing(name)
	}
	return value
}

// Missing notes that a variable, or one of several, must be set.
func (e *Env) Missing(name string) {
	if !slices.Contains(e.missing, name) {
		e.missing = append(e.missing, name)
	}
}

// Optional returns a variable, or def if it is not set.
func (e *Env) Optional(name, def string) string {
	if value := e.get(name); value != "" {
		return value
	}
	return def
}

// Secret returns a required variable that is hidden wherever it is printed.
func (e *Env) Secret(name string) secret.Text { return secret.Text(e.String(name)) }

// Duration returns a variable such as "90s", or def if it is not set.
func (e *Env) Duration(name string, def time.Duration) time.Duration {
	value := e.get(name)
	if value == "" {
		return def
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		e.Wrong(name, "a duration such as 90s or 5m")
		return def
	}
	return d
}

// Known notes as wrong every variable with one of the prefixes that nobody has
// asked for: most likely its name is misspelled. Call it after all others.
func (e *Env) Known(prefixes ...string) {
	names := e.Names
	if names == nil {
		names = processNames
	}
	for _, name := range slices.Sorted(slices.Values(names())) {
		hasPrefix := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if slices.ContainsFunc(prefixes, hasPrefix) && !slices.Contains(e.asked, name) {
			e.wrong = append(e.wrong, name+" is not a setting, check its name")
		}
	}
}

func processNames() []string {
	var names []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	return names
}

// Asked returns the names of all variables that were asked for, sorted.
func (e *Env) Asked() []string { return slices.Sorted(slices.Values(e.asked)) }

// Wrong notes that a variable does not hold what it should.
func (e *Env) Wrong(name, want string) {
	e.wrong = append(e.wrong, name+" must be "+want)
}

// Err names every variable that is missing or wrong, or is nil. It is
// fault.Invalid.
func (e *Env) Err() error {
	var parts []string
	if len(e.missing) > 0 {
		parts = append(parts, "Set these settings: "+strings.Join(e.missing, ", ")+".")
	}
	if len(e.wrong) > 0 {
		parts = append(parts, "Correct these: "+strings.Join(e.wrong, "; ")+".")
	}
	if len(parts) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s", strings.Join(parts, " "))
}
