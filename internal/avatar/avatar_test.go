package avatar_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/avatar"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
)

func TestAvatarsBelongToAConnection(t *testing.T) {
	items, err := bolttable.Open(filepath.Join(t.TempDir(), "t.db"), bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	s, ctx := &avatar.Store{Table: items}, t.Context()
	one, two := avatar.Avatar{Owner: "1", UserGSID: "U1", By: "job"}, avatar.Avatar{Owner: "2", UserGSID: "U2", By: "ann"}
	if err := items.Write(ctx, []table.Op{s.PutOp("a", one)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, "a", two); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, "b", avatar.Avatar{Owner: "1", UserGSID: "U9"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, "a", avatar.Avatar{Owner: "3"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a link to nobody: %v", err)
	}
	got, err := s.GetMany(ctx, "a", []string{"1", "2", "3", "1"})
	if diff := cmp.Diff(map[string]avatar.Avatar{"1": one, "2": two}, got); diff != "" || err != nil {
		t.Errorf("GetMany: %v (-want +got):\n%s", err, diff)
	}
	if none, err := s.GetMany(ctx, "a", nil); len(none) != 0 || err != nil {
		t.Errorf("GetMany of nobody: %v, %v", none, err)
	}
	two.UserGSID = "U3" // associated anew
	if err := s.Put(ctx, "a", two); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is none
		if err := s.Delete(ctx, "a", "1"); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.List(ctx, "a")
	if diff := cmp.Diff([]avatar.Avatar{two}, list); diff != "" || err != nil {
		t.Errorf("List: %v (-want +got):\n%s", err, diff)
	}
}
