package chain_test

import (
	"slices"
	"testing"

	"hubspotconnector/internal/chain"
)

func TestJobsBeforeAJob(t *testing.T) {
	of := func(orders ...string) []chain.Chain { // a letter is a job
		var all []chain.Chain
		for _, order := range orders {
			c := chain.Chain{}
			for _, job := range order {
				c.Jobs = append(c.Jobs, string(job))
			}
			all = append(all, c)
		}
		return all
	}
	tests := []struct {
		name   string
		chains []chain.Chain
		job    string
		want   []string
	}{
		{"no chain", nil, "a", nil},
		{"the first", of("abc"), "a", nil},
		{"the last", of("abc"), "c", []string{"a", "b"}},
		{"in two chains", of("abc", "dbc"), "b", []string{"a", "d"}},
		{"a job that is in neither", of("abc"), "x", nil},
		{"in opposite order", of("ab", "ba"), "a", nil},
		{"in opposite order, the other", of("ab", "ba"), "b", nil},
		{"in opposite order, with a third before both", of("xab", "xba"), "b", []string{"x"}},
		{"in a ring", of("ab", "bc", "ca"), "a", nil},
		{"behind a ring", of("ab", "ba", "bz"), "z", []string{"b"}},
	}
	for _, tt := range tests {
		if got := chain.Before(tt.chains, tt.job); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q are before %s, want %q", tt.name, got, tt.job, tt.want)
		}
	}
}
