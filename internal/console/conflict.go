package console

import (
	"bytes"

	"hubspotconnector/internal/activity"
)

// conflict says that somebody else saved meanwhile. Nothing of either is lost:
// the form still holds what this person entered.
type conflict struct {
	What    string // "job", "job chain", "draft"
	Changes []change
	// SaveMine is what the button for one's own says, as an action.
	SaveMine string
	// OtherTab is where what another tab of the same person kept is; "" = somebody
	// else saved.
	OtherTab string
	// Refused, if set, is why it could not be saved, and nobody else was involved.
	Refused string
}

// newConflict compares what is stored with what somebody wants to save.
func newConflict(what string, stored, mine any, label func(string) string) *conflict {
	con := &conflict{What: what, SaveMine: "save:mine", Changes: differences(activity.JSON(stored), activity.JSON(mine))}
	for i := range con.Changes {
		con.Changes[i].Before, con.Changes[i].After = label(con.Changes[i].Before), label(con.Changes[i].After)
	}
	return con
}

// sameJSON reports whether two things would be stored alike.
func sameJSON(a, b any) bool { return bytes.Equal(activity.JSON(a), activity.JSON(b)) }

// wrongs are problems by the id of their field. :: id → message
func wrongs(problems []problem) map[string]string {
	m := map[string]string{}
	for _, p := range problems {
		if m[p.At] == "" {
			m[p.At] = p.Message
		} else {
			m[p.At] += " " + p.Message
		}
	}
	return m
}
