package scenario

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hubspotconnector/internal/delta"
	"hubspotconnector/internal/hubspot/hubspotsim"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// partitions notes the partitions that were ever written to.
type partitions struct {
	table.Table
	mu    sync.Mutex
	names map[string]bool
}

func (p *partitions) note(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names[name] = true
}

// Put implements table.Table.
func (p *partitions) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	p.note(item.Partition)
	return p.Table.Put(ctx, item, cond)
}

// PutMany implements table.Table.
func (p *partitions) PutMany(ctx context.Context, items []table.Item) error {
	for _, item := range items {
		p.note(item.Partition)
	}
	return p.Table.PutMany(ctx, items)
}

// Write implements table.Table.
func (p *partitions) Write(ctx context.Context, ops []table.Op) error {
	for _, op := range ops {
		p.note(op.Item.Partition)
	}
	return p.Table.Write(ctx, ops)
}

// found are the places where any of the texts is stored: items of the table, and
// files, packed ones too. The table's own file is not looked at: it keeps what was
// deleted until it needs the room.
func (w *world) found(t *testing.T, noted *partitions, texts ...string) []string {
	t.Helper()
	var places []string
	look := func(place string, stored ...[]byte) {
		for _, text := range texts {
			for _, some := range stored {
				if bytes.Contains(some, []byte(text)) {
					places = append(places, place+": "+text)
				}
			}
		}
	}
	for _, partition := range sortedKeys(noted.names) {
		err := table.All(t.Context(), w.bolt, partition, table.Range{}, func(item table.Item) error {
			look("item "+partition+" "+item.Sort, []byte(item.Sort), item.Doc)
			return nil
		})
		if job, ok := strings.CutPrefix(partition, "PRINT#"); ok && err == nil {
			err = (&delta.Store{Table: w.bolt}).Each(t.Context(), job, func(id string, p delta.Print) error {
				text, err := json.Marshal(p)
				look("item "+partition+" "+id, []byte(id), text)
				return err
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "table.db" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			in, err := gzip.NewReader(bytes.NewReader(content))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if content, err = io.ReadAll(in); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		look("file "+strings.TrimPrefix(path, w.dir), []byte(path), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// contact is a record whose id and values occur nowhere else.
type contact struct{ id, email, first, company string }

// erased are records with everything that can be known of one: delivered, rejected
// and tried again, rejected until an edit comes, with an identifier that another
// record holds, and with one that it holds against another.
var erased = []contact{
	{"7700770001", "quendolin@canary.example", "Quendolin", "1"},
	{"7700770002", "yvaine@canary.example", "Yvaine", "99"},
	{"7700770003", "zebulon-without-an-at", "Zebulon", "1"},
	{"9900990004", "DULCINEA@canary.example", "Wilhelmina", "1"},
	{"7700770005", "held@canary.example", "Xaverius", "1"},
}

// left are records that stay, so that the search can find something: delivered,
// rejected, and both sides of an identifier that an erased record shares.
var left = []contact{
	{"8800880001", "otto@canary.example", "Otto", "1"},
	{"8800880002", "ottilie@canary.example", "Ottilie", "99"},
	{"8800880003", "dulcinea@canary.example", "Dulcinea", "1"},
	{"8800880004", "HELD@canary.example", "Hans", "1"},
}

// privateWorld has records to erase and others, after a chain that has read them all.
func privateWorld(t *testing.T, w *world) *partitions {
	noted := &partitions{Table: w.bolt, names: map[string]bool{}}
	w.bolt = noted
	w.start()
	w.sharedEmails()
	w.company(1)
	for _, c := range slices.Concat(left, erased) {
		w.portal.Create("contacts", map[string]string{
			"hs_object_id": c.id, "email": c.email, "firstname": c.first, "lastname": "L", "associatedcompanyid": c.company,
		})
	}
	w.advance(2 * time.Hour)
	w.listen(hubspotsim.Webhooks{Shuffle: true, Duplicate: 2})
	ended(t, "first", w.run(chain).Runs)
	w.advance(time.Minute)
	for _, c := range slices.Concat(left, erased) {
		for _, text := range []string{c.id, c.email, c.first} {
			if len(w.found(t, noted, text)) == 0 {
				t.Fatalf("nothing is stored of %s, so that nothing is tested", text)
			}
		}
	}
	for place, text := range map[string]string{
		"item MARK#": erased[1].id, "item CLAIM#": erased[0].id, "item PRINT#": erased[2].id, "item RUN#": erased[3].id, "file /files/errors/": erased[3].first,
	} {
		if !strings.Contains(strings.Join(w.found(t, noted, text), "\n"), place) {
			t.Fatalf("%s holds nothing of %s, so that nothing is tested", place, text)
		}
	}
	return noted
}

// gone checks that nothing is stored of the erased records, and still of the others.
// Their bare ids may stay as long as files of runs do, where they keep places, and
// where another record was rejected for their sake.
func (w *world) gone(t *testing.T, noted *partitions) {
	t.Helper()
	for _, c := range erased {
		for _, place := range w.found(t, noted, c.email, c.first) {
			t.Errorf("%s", place)
		}
		for _, place := range w.found(t, noted, c.id) {
			holds := c == erased[4] && (strings.Contains(place, "RUN#") || strings.Contains(place, "/errors/") || strings.Contains(place, left[3].id))
			if !holds && !strings.Contains(place, "/files/runs/") {
				t.Errorf("%s", place)
			}
		}
	}
	for _, c := range left {
		places := strings.Join(w.found(t, noted, c.id), "\n")
		if !strings.Contains(places, "item PRINT#") || !strings.Contains(places, "file /files/runs/") {
			t.Errorf("too much was erased of %s: %s", c.id, places)
		}
	}
	if places := strings.Join(w.found(t, noted, left[1].id), "\n"); !strings.Contains(places, "file /files/errors/") {
		t.Errorf("the line of %s is missing in the error file: %s", left[1].id, places)
	}
}

// Nothing is stored any more of a record that was deleted for privacy, in no item
// of the table and no file, once its deletion was settled and the sweep was there.
func TestNothingIsStoredOfARecordThatWasDeletedForPrivacy(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, w *world)
	}{
		{"in peace", func(_ *testing.T, w *world) {
			w.purge()
		}},
		{"changed at once before", func(_ *testing.T, w *world) {
			for _, c := range erased {
				w.portal.Set("contacts", c.id, map[string]string{"lastname": "Changed"})
			}
			w.purge()
		}},
		{"while a run over all records is at work", func(t *testing.T, w *world) {
			w.portal.Set("contacts", left[0].id, map[string]string{"lastname": "Changed"})
			during := false
			w.gainsightFault.add(&spoil{path: "/peoplemgmt/v1.0/people", nth: 1, last: 1, then: func() { w.purge(); during = true }})
			ended(t, "during", w.run(run.Input{Chain: chain.Chain, Mode: run.ModeFull}).Runs)
			if !during {
				t.Error("the run was over before")
			}
		}},
		{"while the job is out of real time", func(t *testing.T, w *world) {
			j := w.job("Company Person Sync_HS")
			j.Options.RealTime = false
			w.save(j)
			w.advance(10 * time.Second)
			w.purge()
			w.advance(2 * time.Minute)
			ended(t, "scheduled", w.run(chain).Runs)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, hubspotsim.Options{}, 3, func(t *testing.T, w *world) {
				noted := privateWorld(t, w)
				tt.do(t, w)
				w.advance(3 * time.Minute)
				w.silence()
				if _, err := w.sys.Sweep.All(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.gone(t, noted)
				// Nor does it come back.
				ended(t, "comparison", w.run(run.Input{Chain: chain.Chain, Mode: run.ModeFull}).Runs)
				w.advance(3 * time.Minute)
				w.gone(t, noted)
			})
		})
	}
}

func (w *world) purge() {
	for _, c := range erased {
		w.portal.Purge("contacts", c.id)
	}
}

// R15: a link alone, its end and its label alone leave the record's modified time
// as it is. A webhook tells within its window, else the weekly comparison finds out.
func TestAssociationsThatChangeAloneArrive(t *testing.T) {
	for _, object := range []string{"deal", "ticket"} {
		for _, told := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, told %v", object, told), func(t *testing.T) {
				bubble(t, hubspotsim.Options{}, 0, func(t *testing.T, w *world) {
					w.companies(3)
					w.target.AddObject("thing__gc", "Thing")
					w.target.AddField("thing__gc", textField("Thing_ID__gc"))
					w.portal.Create(object, map[string]string{"hs_object_id": "51"})
					j := w.things("Things", object, "", association("company", ""))
					w.target.AddField("thing__gc", textField("Champion__gc"))
					j.Mapping.Fields = append(j.Mapping.Fields, champion())
					j.Mapping.Direct = append(j.Mapping.Direct, toChampion())
					j.Options.RealTime = true
					w.save(j)
					w.advance(2 * time.Hour)
					w.only(t, "Things")
					w.advance(2 * time.Hour)
					if told {
						w.listen(hubspotsim.Webhooks{Shuffle: true})
						defer w.silence()
					}
					for _, edit := range []struct {
						what              string
						do                func()
						company, champion string
					}{
						{"link", func() { w.portal.Associate(object, "51", "company", "2", hubspotsim.Primary) }, "2", ""},
						{"label", func() { w.portal.Associate(object, "51", "company", "2", "Champion") }, "2", "2"},
						{"another label", func() {
							w.portal.Dissociate(object, "51", "company", "2", "Champion")
							w.portal.Associate(object, "51", "company", "3", "Champion")
						}, "2", "3"},
						{"unlink", func() {
							w.portal.Dissociate(object, "51", "company", "2", "")
							w.portal.Dissociate(object, "51", "company", "3", "")
						}, "", ""},
					} {
						edit.do()
						if told {
							w.advance(70 * time.Second)
						} else {
							if r := w.only(t, "Things"); r.Counts.Extracted != 0 {
								t.Fatalf("%s: the record is in a window: %+v", edit.what, r.Counts)
							}
							w.advance(7 * 24 * time.Hour)
							ended(t, edit.what, w.run(run.Input{Job: "Things"}).Runs) // compares all records behind the changes
						}
						company := w.values("thing__gc", "Thing_ID__gc", "Company__gc")["51"]
						if champion := w.values("thing__gc", "Thing_ID__gc", "Champion__gc")["51"]; company != edit.company || champion != edit.champion {
							t.Errorf("%s: company %q and champion %q, want %q and %q", edit.what, company, champion, edit.company, edit.champion)
						}
						w.advance(2 * time.Hour)
					}
				})
			})
		}
	}
}

func champion() mapping.Field {
	return mapping.Field{Name: "champion", Association: &mapping.Association{Object: "company", Label: "Champion"}}
}

func toChampion() mapping.Direct { return mapping.Direct{From: "champion", To: "Champion__gc"} }
