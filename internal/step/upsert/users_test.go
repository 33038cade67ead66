package upsert_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

func (w *world) avatar(owner string) string {
	w.t.Helper()
	links, err := w.Avatars.GetMany(w.t.Context(), "c1", []string{owner})
	if err != nil {
		w.t.Fatal(err)
	}
	return links[owner].UserGSID
}

func TestAnOwnerIsMatchedCreatedOrNotGuessed(t *testing.T) {
	w := newWorld(t, users())
	w.target.add("gsuser", "U1", map[string]any{"SFDCUserName": "ann@us.example"})
	w.target.add("gsuser", "U2", map[string]any{"SFDCUserName": "bob@us.example"})
	w.target.add("gsuser", "U3", map[string]any{"SFDCUserName": "bob@us.example"})
	w.begin(owner("1", "ann@us.example"), owner("2", "bob@us.example"), owner("3", "new@us.example"))
	w.part()
	w.wantCallsAtOnce("create gsuser 1", "find gsuser 3", "update gsuser 1")
	w.want(run.Counts{Updated: 1, Inserted: 1, Rejected: 1})
	if r := w.wantReject("2", record.AmbiguousUser); !strings.Contains(r.Fix, "Users > Avatars, type HubSpot") {
		t.Errorf("fix %q does not lead to the avatars", r.Fix)
	}
	made := w.target.with("gsuser", "SFDCUserName", "new@us.example")[0]
	if made["LicenseType"] != "Internal_Collaborator" || made["Name"] != "F3 L3" {
		t.Errorf("new user %v", made)
	}
	if w.avatar("1") != "U1" || w.avatar("2") != "" || w.avatar("3") != made["Gsid"] {
		t.Errorf("avatars %q, %q, %q", w.avatar("1"), w.avatar("2"), w.avatar("3"))
	}
	w.begin(owner("1", "ann@us.example"), owner("3", "new@us.example"))
	w.part()
	w.wantCalls()
	w.want(run.Counts{Unchanged: 2})
}

func TestALicenceThatIsMappedIsKept(t *testing.T) {
	w := newWorld(t, users())
	e := owner("1", "ann@us.example")
	e.Row.Fields["LicenseType"] = "Full"
	w.begin(e)
	w.part()
	if made := w.target.with("gsuser", "SFDCUserName", "ann@us.example"); len(made) != 1 || made[0]["LicenseType"] != "Full" {
		t.Errorf("users %v", made)
	}
}

func TestAnAvatarWinsOverTheIdentifier(t *testing.T) {
	w := newWorld(t, users())
	w.target.add("gsuser", "U1", map[string]any{"SFDCUserName": "ann@us.example"})
	w.target.add("gsuser", "U2", map[string]any{"SFDCUserName": "other@us.example"})
	if err := w.Avatars.Put(t.Context(), "c1", avatar.Avatar{Owner: "1", UserGSID: "U2", By: "admin"}); err != nil {
		t.Fatal(err)
	}
	w.begin(owner("1", "ann@us.example"))
	w.part()
	w.wantCalls("update gsuser 1")
	if u := w.target.with("gsuser", "Gsid", "U2")[0]; u["FirstName"] != "F1" {
		t.Errorf("the linked user is %v", u)
	}
	if u := w.target.with("gsuser", "Gsid", "U1")[0]; u["FirstName"] != nil {
		t.Errorf("the user of the same name was changed: %v", u)
	}
	links, err := w.Avatars.List(t.Context(), "c1")
	if diff := cmp.Diff([]avatar.Avatar{{Owner: "1", UserGSID: "U2", By: "admin"}}, links); err != nil || diff != "" {
		t.Errorf("avatars (-want +got):\n%s%v", diff, err)
	}
	if err := w.Avatars.Put(t.Context(), "c1", avatar.Avatar{Owner: "1", UserGSID: "U1", By: "admin"}); err != nil {
		t.Fatal(err)
	}
	w.begin(owner("1", "ann@us.example")) // linked anew: delivered again though nothing changed
	w.part()
	w.wantCalls("update gsuser 1")
	w.want(run.Counts{Updated: 1})
}

func TestARenamedOwnerKeepsItsUser(t *testing.T) {
	w := newWorld(t, users())
	w.begin(owner("1", "ann@us.example"))
	w.part()
	w.begin(owner("1", "ann.lee@us.example"))
	w.part()
	w.wantCalls("update gsuser 1")
	if n := len(w.target.rows["gsuser"]); n != 1 || len(w.target.with("gsuser", "SFDCUserName", "ann.lee@us.example")) != 1 {
		t.Errorf("users %v", w.target.rows["gsuser"])
	}
}

func TestAUserThatIsGoneIsRejectedWithTheWayToTheAvatars(t *testing.T) {
	w := newWorld(t, users())
	if err := w.Avatars.Put(t.Context(), "c1", avatar.Avatar{Owner: "1", UserGSID: "GONE", By: "admin"}); err != nil {
		t.Fatal(err)
	}
	w.begin(owner("1", "ann@us.example"))
	w.part()
	w.want(run.Counts{Rejected: 1})
	if r := w.wantReject("1", record.NoMatch); !strings.Contains(r.Fix, "Users > Avatars") {
		t.Errorf("fix %q", r.Fix)
	}
}

func TestLeavers(t *testing.T) {
	tests := []struct {
		name       string
		deactivate bool
		known      bool // the user exists and was synced while the owner was active
		exists     bool // the user exists
		want       run.Counts
		inactive   int
	}{
		{name: "nobody is created", want: run.Counts{Filtered: 1}},
		{name: "nobody is created to be deactivated", deactivate: true, want: run.Counts{Filtered: 1}},
		{name: "an existing user is left active", exists: true, want: run.Counts{Unchanged: 1}},
		{name: "a synced user is left active", known: true, want: run.Counts{Unchanged: 1}},
		{name: "an existing user is deactivated", deactivate: true, exists: true, want: run.Counts{Updated: 1}, inactive: 1},
		{name: "a synced user is deactivated", deactivate: true, known: true, want: run.Counts{Updated: 1}, inactive: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := users()
			j.Options.DeactivateLeavers = tt.deactivate
			w := newWorld(t, j)
			if tt.exists {
				w.target.add("gsuser", "U1", map[string]any{"SFDCUserName": "ann@us.example", "FirstName": "typed"})
			}
			if tt.known {
				w.begin(owner("1", "ann@us.example"))
				w.part()
			}
			w.begin(archived(owner("1", "ann@us.example")))
			w.part()
			w.want(tt.want)
			if len(w.target.inactive) != tt.inactive {
				t.Errorf("deactivated %q, want %d", w.target.inactive, tt.inactive)
			}
			if tt.exists && w.target.with("gsuser", "Gsid", "U1")[0]["FirstName"] != "typed" {
				t.Error("the user of an archived owner was changed")
			}
			w.begin(archived(owner("1", "ann@us.example")))
			w.part()
			if len(w.target.inactive) != tt.inactive {
				t.Errorf("deactivated again: %q", w.target.inactive)
			}
			for _, c := range w.target.took() {
				if !strings.HasPrefix(c, "find") {
					t.Errorf("the next run writes: %s", c)
				}
			}
		})
	}
}

func TestALeaverWhoseUserIsGoneIsRejectedAlone(t *testing.T) {
	j := users()
	j.Options.DeactivateLeavers = true
	w := newWorld(t, j)
	w.target.add("gsuser", "U1", map[string]any{"SFDCUserName": "ann@us.example"})
	if err := w.Avatars.Put(t.Context(), "c1", avatar.Avatar{Owner: "2", UserGSID: "GONE", By: "admin"}); err != nil {
		t.Fatal(err)
	}
	w.begin(archived(owner("1", "ann@us.example")), archived(owner("2", "bob@us.example")))
	w.part()
	w.want(run.Counts{Updated: 1, Rejected: 1})
	if r := w.wantReject("2", record.NoMatch); !strings.Contains(r.Fix, "Users > Avatars") {
		t.Errorf("fix %q", r.Fix)
	}
	if diff := cmp.Diff([]string{"U1"}, w.target.inactive); diff != "" {
		t.Errorf("deactivated (-want +got):\n%s", diff)
	}
}

// A link is stored with the print of its owner, whatever becomes of the others.
func TestALinkIsStoredThoughALaterCallFails(t *testing.T) {
	w := newWorld(t, users())
	w.target.add("gsuser", "U1", map[string]any{"SFDCUserName": "ann@us.example"})
	entries := []staging.Entry{owner("1", "ann@us.example"), owner("2", "new@us.example")}
	w.begin(entries...)
	w.target.fail = func(_ int, what string) (bool, error) {
		if what == "create gsuser 1" {
			return false, lost()
		}
		return true, nil
	}
	_, err := w.Part(t.Context(), w.input)
	wantKind(t, err, fault.Transient)
	w.target.fail = nil
	w.part()
	w.want(run.Counts{Updated: 1, Inserted: 1})
	if w.avatar("1") != "U1" || w.avatar("2") == "" {
		t.Errorf("avatars %q and %q, want both", w.avatar("1"), w.avatar("2"))
	}
}

// The user may be deactivated although the answer was lost: an owner who comes back
// before it was tried again is sent, although nothing else has changed.
func TestALeaverWithoutAnAnswerIsInDoubt(t *testing.T) {
	j := users()
	j.Options.DeactivateLeavers = true
	w := newWorld(t, j)
	w.target.add("gsuser", "U1", map[string]any{"SFDCUserName": "ann@us.example"})
	w.begin(owner("1", "ann@us.example"))
	w.part()
	w.begin(archived(owner("1", "ann@us.example")))
	w.target.fail = func(_ int, what string) (bool, error) { return true, lost() }
	_, err := w.Part(t.Context(), w.input)
	wantKind(t, err, fault.Transient)
	if p := w.print("1"); p.Hash != "" {
		t.Errorf("print %+v, want one without a fingerprint", p)
	}
	w.target.fail = nil
	w.begin(owner("1", "ann@us.example"))
	w.part()
	w.wantCalls("update gsuser 1")
}
