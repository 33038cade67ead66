package chain

import "slices"

// Before returns the jobs that stand before a job in the chains, each once, in the
// order in which they are met. Where chains contradict each other, directly or by way
// of other jobs, none of the two jobs is before the other.
func Before(chains []Chain, jobID string) []string {
	var before []string
	for _, id := range ahead(chains, jobID) {
		if !reaches(chains, id, jobID, map[string]bool{}) {
			before = append(before, id)
		}
	}
	return before
}

// ahead are the jobs that stand before a job in any chain.
func ahead(chains []Chain, jobID string) []string {
	var jobs []string
	for _, c := range chains {
		for _, id := range c.Jobs[:max(0, slices.Index(c.Jobs, jobID))] {
			if !slices.Contains(jobs, id) {
				jobs = append(jobs, id)
			}
		}
	}
	return jobs
}

// reaches reports whether sought is ahead of a job, or of one that is.
func reaches(chains []Chain, jobID, sought string, seen map[string]bool) bool {
	seen[jobID] = true
	return slices.ContainsFunc(ahead(chains, jobID), func(id string) bool {
		return id == sought || !seen[id] && reaches(chains, id, sought, seen)
	})
}
