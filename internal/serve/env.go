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

	missing []string
	wrong   []string
}

func (e *Env) get(name string) string {
	lookup := e.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	value, _ := lookup(name)
	return strings.TrimSpace(value)
}

// String returns a required variable.
func (e *Env) String(name string) string {
	value := e.get(name)
	if value == "" && !slices.Contains(e.missing, name) {
		e.missing = append(e.missing, name)
	}
	return value
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

// Wrong notes that a variable does not hold what it should.
func (e *Env) Wrong(name, want string) {
	e.wrong = append(e.wrong, name+" must be "+want)
}

// Err names every variable that is missing or wrong, or is nil. It is
// fault.Invalid.
func (e *Env) Err() error {
	var parts []string
	if len(e.missing) > 0 {
		parts = append(parts, "Set these environment variables: "+strings.Join(e.missing, ", ")+".")
	}
	if len(e.wrong) > 0 {
		parts = append(parts, "Correct these: "+strings.Join(e.wrong, "; ")+".")
	}
	if len(parts) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s", strings.Join(parts, " "))
}
