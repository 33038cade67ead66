package upsert

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/step"
)

// inFlight is how many calls are made at once, and manyInFlight how many of people,
// whom the API takes one a call.
const (
	inFlight     = 10
	manyInFlight = 16
)

// writePeople delivers persons with their Company Person. The API itself matches
// by the resolution keys, so a known GSID is not sent; looking the people up
// first tells new from known and finds records that match two people.
func (w *work) writePeople(ctx context.Context, items []*item) error {
	if err := w.matchPeople(ctx, items); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(manyInFlight)
	var failed atomic.Bool // people are sent in order, so few behind a failure are sent in vain
	for _, it := range items {
		if it.outcome != "" {
			continue
		}
		group.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := w.putPerson(ctx, it)
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	return group.Wait()
}

// putPerson sends one person: the person's fields with one company.
func (w *work) putPerson(ctx context.Context, it *item) error {
	fields, filled := it.was.Write(it.row())
	person, company := map[string]any{}, map[string]any{}
	for name, value := range fields {
		if field, ok := strings.CutPrefix(name, "Person::"); ok {
			person[field] = value
		} else {
			company[name] = value
		}
	}
	if person["Name"] == nil {
		if name := strings.TrimSpace(step.Text(person["FirstName"]) + " " + step.Text(person["LastName"])); name != "" {
			person["Name"] = name
		}
	}
	if company["Company_ID"] != nil {
		person["companies"] = []map[string]any{company}
	}
	it.sent = true
	res, err := w.Target.PutPerson(ctx, person)
	if err != nil {
		return it.unsent(err)
	}
	outcome := run.Inserted
	if it.gsid != "" || it.was.Hash != "" {
		outcome = run.Updated
	}
	res.Done = true
	w.note(it, res, outcome, filled)
	return nil
}

// matchPeople finds the existing person of each new item by any of the
// resolution keys. A record that matches two people is rejected. A slice with one
// key spares the calls, of which it has none too many: a person whom Gainsight had
// counts as inserted then.
func (w *work) matchPeople(ctx context.Context, items []*item) error {
	keys := w.identifiers()
	if len(keys) == 1 && w.run.Lane == run.Slices {
		return nil
	}
	ask := items
	if len(keys) == 1 {
		ask = slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.was.Hash != "" })
	}
	matches := make([]map[string]bool, len(ask))
	for _, key := range keys {
		if len(ask) == 0 {
			return nil
		}
		found, err := w.existing(ctx, "person", key, ask)
		if err != nil {
			return err
		}
		for i := range ask {
			for _, gsid := range found[i].GSIDs {
				if matches[i] == nil {
					matches[i] = map[string]bool{}
				}
				matches[i][gsid] = true
			}
		}
	}
	for i, it := range ask {
		switch gsids := sorted(matches[i]); len(gsids) {
		case 0:
		case 1:
			it.gsid = gsids[0]
		default:
			it.deny(record.Reject{
				Code:   record.PersonConflict,
				Reason: fmt.Sprintf("The record matches different people in Gainsight: %s and %s.", gsids[0], gsids[1]),
				Fix:    "Merge the two people in Gainsight, or correct the value that matches the wrong one.",
			})
		}
	}
	return nil
}
