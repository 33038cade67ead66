package setting

import (
	"fmt"
	"math"
	"strings"
	"time"

	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
)

// check returns fault.Invalid with everything that is wrong.
func (l Limits) check() error {
	var problems []string
	for _, one := range []struct {
		name string
		budget.Window
	}{
		{"The HubSpot limit", l.HubSpot},
		{"The HubSpot search limit", l.HubSpotSearch},
		{"The Gainsight limit", l.Gainsight},
		{"The Gainsight day limit", l.GainsightDay},
	} {
		set := one.Calls != 0 || one.Per != 0
		if set && (one.Calls < 1 || one.Calls > 1_000_000_000 || one.Per < 100*time.Millisecond || one.Per > 31*24*time.Hour) {
			problems = append(problems, one.name+" needs at least 1 call, and a time from 100 milliseconds to 31 days.")
		}
	}
	if l.Gainsight.Calls > 0 && l.GainsightDay.Calls > 0 && l.Gainsight.Per == l.GainsightDay.Per {
		problems = append(problems, "The two Gainsight limits need different times.")
	}
	if l.Reserve != nil && (*l.Reserve < 0 || *l.Reserve > 0.5 || math.IsNaN(*l.Reserve)) {
		problems = append(problems, "The reserve is a share from 0 to 0.5.")
	}
	return invalid(problems)
}

func (r Retention) check() error {
	var problems []string
	for _, one := range []struct {
		name           string
		days, from, to int
	}{
		{"Error files", r.ErrorFiles, 1, 365}, {"Staged data", r.Staged, 1, 14}, {"Runs and activity", r.Runs, 30, 3650},
	} {
		if one.days < one.from || one.days > one.to {
			problems = append(problems, fmt.Sprintf("%s are kept for %d to %d days.", one.name, one.from, one.to))
		}
	}
	return invalid(problems)
}

func invalid(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s", strings.Join(problems, " "))
}
