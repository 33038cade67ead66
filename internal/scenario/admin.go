package scenario

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/truth"
)

// say notes what an admin reads of an error, so that want/runs can compare it.
func (w *world) say(err error) {
	if err != nil {
		w.lines = append(w.lines, fault.MessageOf(err))
	}
}

// stepConnection: connection rename NAME | revoke | reauthorize [portal=ID] |
// decline | delete | create NAME, which the steps behind it are about.
func (w *world) stepConnection(s step) {
	ctx := w.t.Context()
	var err error
	switch verb := w.word(s, 1); verb {
	case "create":
		var c connection.Connection
		if c, err = w.sys.Connections.Create(ctx, w.word(s, 2), "tester"); err == nil {
			w.connection = c.ID
		}
	case "rename":
		_, err = w.sys.Connections.Rename(ctx, w.connection, w.word(s, 2), "tester")
	case "revoke":
		_, err = w.sys.Connections.Revoke(ctx, w.connection, "tester")
	case "delete":
		err = w.sys.Connections.Delete(ctx, w.connection, "tester")
	case "reauthorize":
		err = w.consent(s.pairs["portal"])
	case "decline":
		err = w.decline()
	case "complete":
		err = w.sys.Ready.Complete(ctx)
	default:
		w.t.Fatalf("step %q: a connection cannot %q", s.line, verb)
	}
	w.say(err)
}

// stepApply: apply FILE stores the job of config/FILE, which is JSON or YAML as
// the export writes it.
func (w *world) stepApply(s step) {
	text, ok := w.config[w.word(s, 1)]
	if !ok {
		w.t.Fatalf("step %q: there is no file config/%s", s.line, w.word(s, 1))
	}
	_, err := w.sys.Config.Apply(w.t.Context(), text, "tester")
	w.say(err)
}

// stepKey: key FIELD… makes these the person resolution key.
func (w *world) stepKey(s step) {
	_, err := w.sys.People.Save(w.t.Context(), s.words[1:], "tester")
	w.say(err)
}

// stepAvatar: avatar OWNER FIELD:VALUE links an owner to a user by hand.
func (w *world) stepAvatar(s step) {
	err := w.sys.Avatars.Put(w.t.Context(), w.connection, avatar.Avatar{
		Owner: w.id(s, 1), UserGSID: w.gsid("gsuser", w.word(s, 2)), By: "tester",
	})
	w.say(err)
}

// stepHold: hold JOB takes the lease of a job for another run, for 20 minutes.
func (w *world) stepHold(s step) {
	ctx := w.t.Context()
	j, err := w.sys.Jobs.Find(ctx, w.word(s, 1))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.sys.Runs.Leases.Acquire(ctx, j.ID+"#changes", "another-run"); err != nil {
		w.t.Fatal(err)
	}
}

// stepDie: die N KIND makes the next run lose its write N, or die there.
func (w *world) stepDie(s step) {
	kinds := map[string]Loss{"request": RequestLost, "answer": AnswerLost, "dead": Dead, "before": DeadBefore}
	loss, ok := kinds[w.word(s, 2)]
	if !ok {
		w.t.Fatalf("step %q: a write is lost as %q", s.line, sortedKeys(kinds))
	}
	w.at, w.loss = w.number(s, 1), loss
}

// knob reads one line of the options file.
func knob(t *testing.T, words []string, o *hubspotsim.Options, partSize *int) {
	t.Helper()
	if len(words) == 0 {
		return
	}
	switch words[0] {
	case "lag":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatal(err)
		}
		o.IndexLag = hubspotsim.Lag(1, 0, d)
	case "part":
		for _, c := range words[1] {
			*partSize = *partSize*10 + int(c-'0')
		}
	case "empty-text":
		o.EmptyText = true
	case "window":
		// of webhooks; see play
	case "string-ids":
		o.StringIDs = true
	case "disorder":
		o.Disorder = 2
	case "token-life":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatal(err)
		}
		o.TokenLife = d
	case "no-truth", "unprepared", "second-portal":
	default:
		t.Fatalf("there is no option %q", words[0])
	}
}

// truth compares both simulators by the rules of the out-of-the-box jobs, unless
// the options say that the scenario's own rows are all there is to compare.
func (w *world) truth(archive *txtar.Archive) {
	w.t.Helper()
	ownersRan := false
	for _, f := range archive.Files {
		if f.Name == "options" && strings.Contains(string(f.Data), "no-truth") {
			return
		}
		ownersRan = ownersRan || f.Name == "steps" && strings.Contains(string(f.Data), "User Sync")
	}
	for _, problem := range truth.Compare(w.portal, w.target, ownersRan).Problems {
		w.t.Errorf("truth: %s", problem)
	}
}
