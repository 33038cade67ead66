package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
)

func textField(name string) gainsightsim.Field {
	return gainsightsim.Field{Name: name, Label: strings.TrimSuffix(name, "__gc"), DataType: "STRING", Nillable: true}
}

// associated is a dataset field with the id of an associated record.
type associated struct{ object, label string }

func association(object, label string) associated { return associated{object, label} }

// things is a job of a source object to the custom object thing__gc, which must
// exist: its id, one property as Name ("" = none), and associations as fields
// called after their objects.
func (w *world) things(name, source, property string, with ...associated) job.Job {
	j := job.Job{Name: name, Connection: w.connection, Mapping: mapping.Config{
		Source: source, Target: "thing__gc",
		Fields: []mapping.Field{{Name: "id", Property: "hs_object_id"}},
		Direct: []mapping.Direct{{From: "id", To: "Thing_ID__gc", Identifier: true}},
	}}
	if property != "" {
		j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: "name", Property: property})
		j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: "name", To: "Name"})
	}
	for _, a := range with {
		to := strings.ToUpper(a.object[:1]) + a.object[1:] + "__gc"
		w.target.AddField("thing__gc", textField(to))
		j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: a.object, Association: &mapping.Association{Object: a.object, Label: a.label}})
		j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: a.object, To: to})
	}
	return j
}

// R16, R18: among a hundred parents in one batch one has 1,001 children, and the
// labelled one of them is on the last page. No batch holds more than 1,000 ids.
func TestAllPagesOfAssociationsAreRead(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.companies(100)
		for i := 1; i <= 1001; i++ {
			w.portal.Create("contacts", map[string]string{"hs_object_id": fmt.Sprint(i), "firstname": "F"})
			w.portal.Associate("contacts", fmt.Sprint(i), "companies", "1", hubspotsim.Primary)
		}
		w.portal.Associate("contacts", "1001", "companies", "1", "Champion")
		w.portal.Associate("contacts", "7", "companies", "100", "Champion")
		w.target.AddObject("thing__gc", "Thing")
		w.target.AddField("thing__gc", textField("Thing_ID__gc"))
		w.save(w.things("Parents", "company", "", association("contact", "Champion")))
		w.save(w.things("Children", "contact", "", association("company", "")))
		w.advance(time.Minute)
		var largest atomic.Int64
		w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
			if strings.HasPrefix(r.URL.Path, "/crm/associations/") {
				var batch struct {
					Inputs []any `json:"inputs"`
				}
				if err := json.Unmarshal([]byte(body(r)), &batch); err != nil {
					t.Error(err)
				}
				largest.Store(max(largest.Load(), int64(len(batch.Inputs))))
			}
			return nil
		})
		w.calls = w.counters()
		w.only(t, "Parents")
		if got, want := w.values("thing__gc", "Thing_ID__gc", "Contact__gc"), map[string]string{"1": "1001", "100": "7"}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("champions %v, want %v", got, want)
		}
		if n := w.since()["hubspot.associations"]; n != 3 {
			t.Errorf("%d batches for 1,001 children in pages of 500, want 3", n)
		}
		r := w.only(t, "Children")
		parents := w.values("thing__gc", "Thing_ID__gc", "Company__gc")
		if r.Counts.Extracted != 1001 || len(parents) != 1001 || parents["1001"] != "1" {
			t.Errorf("%+v, and %d children have a parent, want 1,001", r.Counts, len(parents))
		}
		if largest.Load() > 1000 || largest.Load() == 0 {
			t.Errorf("a batch has %d ids, want 1 to 1,000", largest.Load())
		}
	})
}

// R14: what a run of changes knows of associations is what a full one knows.
func TestChangesCarryAssociationsLikeAFullRun(t *testing.T) {
	bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
		w.companies(2)
		w.portal.Create("contacts", map[string]string{"hs_object_id": "11", "firstname": "Ann"})
		w.portal.Associate("contacts", "11", "companies", "2", hubspotsim.Primary)
		w.target.AddObject("thing__gc", "Thing")
		w.target.AddField("thing__gc", textField("Thing_ID__gc"))
		w.save(w.things("Things", "contact", "firstname", association("company", "")))
		w.advance(time.Minute)
		w.only(t, "Things")
		w.portal.Set("contacts", "11", map[string]string{"firstname": "Anna"})
		w.advance(time.Minute)
		if r := w.only(t, "Things"); r.Mode != run.ModeChanges || r.Counts.Updated != 1 {
			t.Errorf("%s: %+v, want one update by changes", r.Mode, r.Counts)
		}
		if got := w.values("thing__gc", "Thing_ID__gc", "Company__gc")["11"]; got != "2" {
			t.Errorf("company %q, want 2", got)
		}
	})
}

// R17, R37: associations that cannot be read fail the run or are read again; they
// never become empty, and jobs beside it go on.
func TestUnknownAssociationsAreNotEmpty(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  *hubspotsim.Fault
		scope  bool
		reason string // "" = the run ends well
	}{
		{name: "no scope", scope: true, reason: "lacks the HubSpot scopes"},
		{name: "400", fault: &hubspotsim.Fault{Status: 400, Body: `{"status":"error","category":"VALIDATION_ERROR"}`}, reason: "HubSpot refused a request"},
		{name: "429", fault: hubspotsim.TooMany("TEN_SECONDLY_ROLLING")},
		{name: "500", fault: &hubspotsim.Fault{Status: 500, Body: "{}"}},
		{name: "207 without a word", fault: &hubspotsim.Fault{Status: 207, Body: `{"status":"COMPLETE","results":[]}`, Header: http.Header{"Content-Type": {"application/json"}}}},
		{name: "207 with another error", fault: &hubspotsim.Fault{Status: 207, Body: `{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{"category":"RATE_LIMITS","message":"busy"}]}`, Header: http.Header{"Content-Type": {"application/json"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
				w.portal.Create("companies", map[string]string{"hs_object_id": "1", "name": "Company 1"})
				w.portal.Create("deals", map[string]string{"hs_object_id": "31", "dealname": "Renewal"})
				w.portal.Associate("deals", "31", "companies", "1", hubspotsim.Primary)
				w.target.AddObject("thing__gc", "Thing")
				w.target.AddField("thing__gc", textField("Thing_ID__gc"))
				w.save(w.things("Deals", "deal", "dealname", association("company", "")))
				w.advance(time.Minute)
				w.only(t, "Deals")
				w.portal.Set("deals", "31", map[string]string{"dealname": "Renewal 2"})
				w.advance(time.Minute)
				if tt.scope {
					w.portal.Withdraw("crm.objects.companies.read")
				}
				met := 0
				w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
					if strings.HasPrefix(r.URL.Path, "/crm/associations/") && met < 2 {
						met++
						return tt.fault
					}
					return nil
				})
				if tt.reason != "" {
					w.failed(t, "Deals", tt.reason)
				} else {
					w.only(t, "Deals")
				}
				if met == 0 {
					t.Error("no call for associations was made")
				}
				if got := w.values("thing__gc", "Thing_ID__gc", "Company__gc")["31"]; got != "1" {
					t.Errorf("company %q, want 1", got)
				}
				if !tt.scope {
					w.only(t, syncCompanies)
				}
			})
		})
	}
}

// R19: a job of 1,500 properties goes through a proxy that refuses addresses of
// more than 8,000 characters and a search that takes 3,000. What is mapped
// arrives from the first property to the last.
func TestNoAddressAndNoSearchIsTooLong(t *testing.T) {
	for _, longest := range []int{8_000, 16_000} {
		t.Run(fmt.Sprint(longest), func(t *testing.T) {
			bubble(t, hubspotsim.Options{WholeBody: true}, 0, func(t *testing.T, w *world) {
				w.target.AddObject("thing__gc", "Thing")
				w.target.AddField("thing__gc", textField("Thing_ID__gc"))
				j := w.things("Things", "company", "name")
				for i := range 1500 {
					name := fmt.Sprintf("a_property_with_a_long_name_%04d", i)
					w.portal.DefineProperty("companies", hubspotsim.Property{Name: name, Label: name})
					j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: name})
				}
				for i := range 120 {
					w.portal.Create("companies", map[string]string{
						"hs_object_id": fmt.Sprint(i + 1), "name": "n", "a_property_with_a_long_name_0000": "first", "a_property_with_a_long_name_1499": "last",
					})
				}
				for i, to := range map[int]string{0: "First__gc", 1499: "Last__gc"} {
					w.target.AddField("thing__gc", textField(to))
					j.Mapping.Direct = append(j.Mapping.Direct, mapping.Direct{From: fmt.Sprintf("a_property_with_a_long_name_%04d", i), To: to})
				}
				w.save(j)
				w.advance(time.Minute)
				tooLong := 0
				w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
					if len(r.Host)+len(r.URL.RequestURI()) > longest {
						tooLong++
						return &hubspotsim.Fault{Status: http.StatusRequestURITooLong, Body: page}
					}
					return nil
				})
				w.only(t, "Things")
				w.portal.Set("companies", "120", map[string]string{"a_property_with_a_long_name_1499": "changed"})
				w.advance(time.Minute)
				if r := w.only(t, "Things"); r.Counts.Updated != 1 {
					t.Errorf("%+v, want one update", r.Counts)
				}
				firsts, lasts := w.values("thing__gc", "Thing_ID__gc", "First__gc"), w.values("thing__gc", "Thing_ID__gc", "Last__gc")
				if len(firsts) != 120 || len(lasts) != 120 || lasts["1"] != "last" || lasts["120"] != "changed" {
					t.Errorf("%d first and %d last values, 120 has %q", len(firsts), len(lasts), lasts["120"])
				}
				if tooLong > 0 {
					t.Errorf("%d addresses were too long", tooLong)
				}
			})
		})
	}
}

// R25: a record that vanishes between the list and the batch that reads it is
// left out (207), and so is a page of them (404); a job of an object that does not
// exist says so.
func TestRecordsThatVanishAreLeftOut(t *testing.T) {
	for _, tt := range []struct {
		name  string
		gone  []string
		fails int // batches that fail, more than one call repeats
		stays int
	}{
		{"one", []string{"2"}, 0, 2},
		{"all", []string{"1", "2", "3"}, 0, 0},
		{"none, though batches fail", nil, 5, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
				j := w.job(syncCompanies)
				for i := range 300 { // more than an address can name, so they are read in batches
					name := fmt.Sprintf("a_property_with_a_long_name_%04d", i)
					w.portal.DefineProperty("companies", hubspotsim.Property{Name: name, Label: name})
					j.Mapping.Fields = append(j.Mapping.Fields, mapping.Field{Name: name})
				}
				w.save(j)
				w.companies(3)
				w.advance(time.Minute)
				batches := 0
				w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
					if strings.Contains(r.URL.Path, "/batch/read") {
						batches++
						for _, id := range tt.gone {
							w.portal.Archive("companies", id)
						}
						if batches <= tt.fails {
							return hubspotKind("500")
						}
					}
					return nil
				})
				if r := w.only(t, syncCompanies); r.Counts.Extracted != tt.stays || r.Counts.Inserted != tt.stays {
					t.Errorf("%+v, want %d read and inserted", r.Counts, tt.stays)
				}
				if batches == 0 {
					t.Error("no batch was read")
				}
				w.correct(t)
			})
		})
	}
	t.Run("no such object", func(t *testing.T) {
		bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
			w.target.AddObject("thing__gc", "Thing")
			w.target.AddField("thing__gc", textField("Thing_ID__gc"))
			boats := w.portal.DefineObject(hubspotsim.Schema{Name: "boat", Singular: "Boat", Plural: "Boats"})
			j := w.things("Boats", boats, "")
			w.save(j)
			w.source.SetFault(func(r *http.Request, _ int) *hubspotsim.Fault {
				if strings.Contains(r.URL.Path, boats) {
					f := jsonAnswer(`{"status":"error","message":"Unable to infer object type from: ` + boats + `","category":"VALIDATION_ERROR"}`)
					f.Status = http.StatusBadRequest
					return f
				}
				return nil
			})
			w.failed(t, "Boats", "HubSpot has no such object in this account")
		})
	})
}
