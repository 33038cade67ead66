package hubspotsim_test

import (
	"testing"

	"hubspotconnector/internal/hubspot/hubspotsim"
)

func TestAValueThatWasNeverSetIsEmptyAmongOthers(t *testing.T) {
	p := hubspotsim.New(hubspotsim.Options{}).AddPortal(1, "a.example")
	id := p.Create("contacts", map[string]string{"email": "ann@a.example", "phone": "1"})
	rec, _ := p.Get("contacts", id)
	if v, ok := rec.Value("firstname"); v != "" || ok {
		t.Errorf("firstname = %q, %v, want nothing", v, ok)
	}
	other := p.Create("contacts", map[string]string{"email": "bob@a.example"})
	winner, _ := p.Get("contacts", p.Merge("contacts", id, other))
	if v, _ := winner.Value("hs_merged_object_ids"); v != id+";"+other {
		t.Errorf("merged ids %q, want %s;%s", v, id, other)
	}
}
