package console

import "net/http"

// noticeCookie carries the name of a notice over a redirect. It is a name and no
// text, so that nobody can make the console say what they want.
const noticeCookie = "notice"

// notice is what a page says once after a change.
type notice struct {
	Text  string
	Alarm bool // something needs attention
}

func notices() map[string]notice {
	return map[string]notice{
		"authorized":      {Text: "The connection is authorized."},
		"half-authorized": {Text: "The connection is authorized, but its jobs could not be created, because Gainsight did not answer. Re-Authorize to try again.", Alarm: true},
		"renamed":         {Text: "The connection has its new name. Out-of-the-box jobs that still had its old name follow."},
		"revoked":         {Text: "The permission is withdrawn. Jobs of this connection fail until you re-authorize it."},
		"deleted":         {Text: "It is deleted."},
		"job-saved":       {Text: "The job is saved. Its next run uses it."},
		"saved":           {Text: "Saved."},
		"cloned":          {Text: "The job is cloned. This is the copy."},
		"started":         {Text: "The run has started."},
		"stopping":        {Text: "The run stops after the part that is being written."},
		"resumed":         {Text: "The run goes on where it stopped."},
		"retried":         {Text: "A run of the rejected records has started."},
		"discarded":       {Text: "Your unsaved changes are discarded."},
		"unchanged":       {Text: "Nothing was changed."},
		"associated":      {Text: "The owner is associated. It takes effect at the next run; Retry now runs the rejected owners at once."},
		"unassociated":    {Text: "The association is removed. The next run looks for the user again."},
		"zone":            {Text: "Times are shown in your time zone from now on."},
		"tested":          {Text: "The test succeeded."},
		"draft-saved":     {Text: "Your draft is saved. It takes effect when you save the job."},
		"draft-discarded": {Text: "The draft is discarded. The job is as it was."},
	}
}

// takeNotice returns the notice that waits for this page, once.
func (q *request) takeNotice() notice {
	cookie, err := q.r.Cookie(noticeCookie)
	if err != nil {
		return notice{}
	}
	http.SetCookie(q.w, &http.Cookie{Name: noticeCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // no secret, and http is for this machine
	return notices()[cookie.Value]
}
