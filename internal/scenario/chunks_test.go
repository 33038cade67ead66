package scenario

import (
	"fmt"
	"testing"
	"time"

	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
)

// R35: so many properties that an address cannot hold them are read with the
// records' ids in a call of their own. Whatever is edited between the two calls, a
// row never has values of two versions.
func TestARowNeverMixesVersions(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   run.Input
	}{
		{"all records", run.Input{Job: "Things", Mode: run.ModeFull}},
		{"changes", run.Input{Job: "Things", Mode: run.ModeChanges}},
		{"marked records", run.Input{Job: "Things", Mode: run.ModeMarked}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
				w.target.AddObject("thing__gc", "Thing")
				for _, field := range []string{"Thing_ID__gc", "First__gc", "Last__gc"} {
					w.target.AddField("thing__gc", textField(field))
				}
				j := w.things("Things", "company", "name")
				for i := range 400 {
					name := fmt.Sprintf("a_property_with_a_rather_long_name_%03d", i)
					w.portal.DefineProperty("companies", hubspotsim.Property{Name: name, Label: name, Type: "string", FieldType: "text"})
					j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: name})
				}
				first, last := "a_property_with_a_rather_long_name_000", "a_property_with_a_rather_long_name_399"
				j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: first, To: "First__gc"}, mapping.Direct{From: last, To: "Last__gc"})
				w.save(j)
				edit := func(value string) {
					w.portal.Set("companies", "1", map[string]string{first: value, last: value})
				}
				w.companies(1)
				edit("one")
				w.advance(time.Minute)
				w.run(run.Input{Job: "Things"})
				edit("two")
				w.advance(time.Minute)
				w.markOf("Things", "0-2", "1")
				w.hubspotFault.add(&spoil{path: "batch/read", nth: 1, last: 1, then: func() { edit("three") }})
				w.run(tt.in)
				a, b := w.values("thing__gc", "Thing_ID__gc", "First__gc")["1"], w.values("thing__gc", "Thing_ID__gc", "Last__gc")["1"]
				if a != b || a != "three" {
					t.Errorf("the row has %q and %q, want both as they were when the values were read", a, b)
				}
			})
		})
	}
}
