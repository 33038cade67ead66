package scenario

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/truth"
)

// side is a kind of record whose rows are looked at when the record leaves HubSpot.
type side struct {
	object      string // in HubSpot
	typeID      string
	job, target string
	id          string // target field with the record's id
	canDelete   bool
}

var sides = []side{
	{object: "companies", typeID: "0-2", job: syncCompanies, target: "company", id: accountID, canDelete: true},
	{object: "contacts", typeID: "0-1", job: "Company Person Sync_HS", target: "company_person", id: "Hubspot_Contact_ID__gc"},
	{object: "deals", typeID: "0-3", job: "Deals", target: "thing__gc", id: "Thing_ID__gc", canDelete: true},
}

// dealt are the states of the rows of the records 1, 2 and 3, "" for a row that
// nothing was done to; a record without a row is missing.
type dealt map[string]string

// fates are what becomes of the records 1 and 2. what does it, in steps between
// which the connector learns of it.
var fates = []struct {
	name string
	what func(w *world, s side) []func()
	// want :: option → rows
	want map[job.Do]dealt
	// reported is the record that people must decide about if nothing is done.
	reported string
}{
	{
		name: "archived",
		what: func(w *world, s side) []func() {
			return []func(){func() { w.portal.Archive(s.object, "1") }}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"1": "", "2": "", "3": ""}, job.DoSet: {"1": "gone", "2": "", "3": ""}, job.DoDelete: {"2": "", "3": ""},
		},
	},
	{
		name: "archived and restored",
		what: func(w *world, s side) []func() {
			return []func(){
				func() { w.portal.Archive(s.object, "1"); w.portal.Archive(s.object, "2") },
				func() { w.portal.Restore(s.object, "1") },
			}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"1": "", "2": "", "3": ""}, job.DoSet: {"1": "", "2": "gone", "3": ""}, job.DoDelete: {"1": "", "3": ""},
		},
	},
	{
		name: "archived and restored at once",
		what: func(w *world, s side) []func() {
			return []func(){func() { w.portal.Archive(s.object, "1"); w.portal.Restore(s.object, "1") }}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"1": "", "2": "", "3": ""}, job.DoSet: {"1": "", "2": "", "3": ""}, job.DoDelete: {"1": "", "2": "", "3": ""},
		},
	},
	{
		name: "deleted for good",
		what: func(w *world, s side) []func() {
			return []func(){func() { w.portal.Purge(s.object, "1") }}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"1": "", "2": "", "3": ""}, job.DoSet: {"1": "gone", "2": "", "3": ""}, job.DoDelete: {"2": "", "3": ""},
		},
	},
	{
		name: "archived, then deleted for good",
		what: func(w *world, s side) []func() {
			return []func(){func() { w.portal.Archive(s.object, "1") }, func() { w.portal.Purge(s.object, "1") }}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"1": "", "2": "", "3": ""}, job.DoSet: {"1": "gone", "2": "", "3": ""}, job.DoDelete: {"2": "", "3": ""},
		},
	},
	{
		name: "merged",
		what: func(w *world, s side) []func() {
			return []func(){func() { w.names["survivor"] = w.portal.Merge(s.object, "1", "2") }}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"survivor": "", "2": "", "3": ""}, job.DoSet: {"survivor": "", "2": "gone", "3": ""}, job.DoDelete: {"survivor": "", "3": ""},
		},
		reported: "2",
	},
	{
		name: "merged twice",
		what: func(w *world, s side) []func() {
			return []func(){
				func() { w.names["first"] = w.portal.Merge(s.object, "1", "2") },
				func() { w.names["survivor"] = w.portal.Merge(s.object, w.names["first"], "3") },
			}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"survivor": "", "2": "", "3": ""}, job.DoSet: {"survivor": "", "2": "gone", "3": "gone"}, job.DoDelete: {"survivor": ""},
		},
		reported: "3",
	},
	{
		name: "merged, and the survivor archived",
		what: func(w *world, s side) []func() {
			return []func(){func() {
				w.names["survivor"] = w.portal.Merge(s.object, "1", "2")
				w.portal.Archive(s.object, w.names["survivor"])
			}}
		},
		want: map[job.Do]dealt{
			job.DoNothing: {"1": "", "2": "", "3": ""}, job.DoSet: {"1": "gone", "2": "gone", "3": ""}, job.DoDelete: {"3": ""},
		},
	},
}

// R10, R11: what becomes of the rows of records that leave HubSpot, for each
// object, fate and option, told by webhooks or found without them. Everything
// is done once, and no mark is left.
func TestRowsOfRecordsThatAreGone(t *testing.T) {
	for _, s := range sides {
		for _, fate := range fates {
			for option, want := range fate.want {
				if option == job.DoDelete && !s.canDelete {
					continue
				}
				for _, told := range []bool{true, false} {
					name := fmt.Sprintf("%s %s, do %s, told %v", s.object, fate.name, cmp.Or(string(option), "nothing"), told)
					t.Run(name, func(t *testing.T) {
						bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
							w.three(t, s, option)
							w.learn(s, told, fate.what(w, s))
							w.rowsAre(t, s, want)
							lines := w.reported()
							if reported := fate.reported; reported != "" && option == job.DoNothing {
								if lines[reported] != 1 {
									t.Errorf("record %s is in %d lines of error files, want 1: %v", reported, lines[reported], lines)
								}
							} else if len(lines) > 0 {
								t.Errorf("error files name %v, want none", lines)
							}
							w.nothingLeft(t, s)
						})
					})
				}
			}
		}
	}
}

// three syncs the records 1, 2 and 3 of a side, with the option for what is gone.
func (w *world) three(t *testing.T, s side, option job.Do) {
	t.Helper()
	w.target.AddObject("thing__gc", "Thing")
	w.target.AddField("thing__gc", textField("Thing_ID__gc"))
	w.target.AddField(s.target, gainsightsim.Field{Name: "State__gc", Label: "State", DataType: "STRING", Nillable: true})
	switch s.object {
	case "deals":
		w.save(w.things("Deals", "deal", "dealname"))
	case "contacts":
		w.company(101)
	}
	for _, id := range []string{"1", "2", "3"} {
		switch s.object {
		case "companies":
			w.portal.Create("companies", map[string]string{"hs_object_id": id, "name": "Company " + id})
		case "contacts":
			w.portal.Create("contacts", map[string]string{"hs_object_id": id, "email": "c" + id + "@a.example", "firstname": "F" + id, "lastname": "L", "associatedcompanyid": "101"})
		default:
			w.portal.Create("deals", map[string]string{"hs_object_id": id, "dealname": "Deal " + id})
		}
	}
	w.advance(2 * time.Hour)
	ended(t, "first", w.run(companySync).Runs)
	if s.object != "companies" {
		w.only(t, s.job)
	}
	j := w.job(s.job)
	j.Options.RealTime = true
	if j.Options.WhenDeleted = (job.WhenDeleted{Do: option}); option == job.DoSet {
		j.Options.WhenDeleted.Field, j.Options.WhenDeleted.Value = "State__gc", "gone"
	}
	w.save(j)
	w.errors = nil
}

// learn does what is to become of records, and lets the connector learn of each
// step: by webhooks, or by the run of the next day and a full comparison.
func (w *world) learn(s side, told bool, steps []func()) {
	w.t.Helper()
	w.advance(2 * time.Hour)
	if told {
		w.listen(hubspotsim.Webhooks{Shuffle: true, Duplicate: 2, Gather: time.Second})
		defer w.silence()
	}
	for _, step := range steps {
		step()
		if told {
			w.advance(3 * time.Minute)
			continue
		}
		w.advance(25 * time.Hour)
		w.run(run.Input{Job: s.job})
		w.run(run.Input{Job: s.job, Mode: run.ModeFull})
		w.advance(3 * time.Minute)
	}
	w.noteOthers()
}

// rowsAre checks which rows stand and what they say.
func (w *world) rowsAre(t *testing.T, s side, want dealt) {
	t.Helper()
	wanted := map[string]string{}
	for id, state := range want {
		if named, ok := w.names[id]; ok {
			id = named
		}
		wanted[id] = state
	}
	got := map[string]string{}
	for row := range w.target.Rows(s.target) {
		id, state := fmt.Sprint(row[s.id]), ""
		if v := row["State__gc"]; v != nil {
			state = fmt.Sprint(v)
		}
		if _, twice := got[id]; twice {
			t.Errorf("record %s has two rows", id)
		}
		got[id] = state
	}
	if d := gocmp.Diff(wanted, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	for _, problem := range truth.Compare(w.portal, w.target, false).Problems {
		if !strings.Contains(problem, "which HubSpot never had") { // it does not have it any more
			t.Error(problem)
		}
	}
}

// reported counts the lines of all error files so far. :: source id → lines
func (w *world) reported() map[string]int {
	w.t.Helper()
	lines := map[string]int{}
	for _, text := range w.errors {
		for _, line := range w.table(strings.TrimPrefix(text, "\uFEFF"))[1:] {
			lines[line[0]]++
		}
	}
	return lines
}

// nothingLeft checks that no mark is left, and that runs of every kind find
// nothing to do.
func (w *world) nothingLeft(t *testing.T, s side) {
	t.Helper()
	counts, err := w.sys.Marks.Counts(t.Context(), s.typeID, w.job(s.job).ID)
	if err != nil {
		t.Fatal(err)
	}
	for kind, n := range counts {
		if kind != mark.Rejected { // which wait for people
			t.Errorf("%d marks are left: %s", n, kind)
		}
	}
	writes := w.target.Writes()
	w.advance(25 * time.Hour)
	w.run(run.Input{Job: s.job})
	w.run(run.Input{Job: s.job, Mode: run.ModeFull})
	w.advance(3 * time.Minute)
	if n := w.target.Writes() - writes; n != 0 {
		t.Errorf("another day made %d writes at Gainsight, want none: %q", n, w.lines)
	}
}
