// Package mark remembers which records of a job a run must look at besides its
// window: those that a webhook told of, and those that were rejected and come
// back later. There is one mark per job, record and class, however many events.
//
// A mark says that a record is to be read again, never what is in it. A run
// claims marks before it reads their records and removes them when it has
// settled them, unless they changed since: then something happened meanwhile,
// and the record is read once more.
package mark

import (
	"fmt"
	"hash/fnv"
	"time"

	"hubspotconnector/internal/record"
)

// Kind says why a record is marked.
type Kind string

// What a Kind can be.
const (
	Changed  Kind = "changed"  // created, changed, restored, or associated anew
	Deleted  Kind = "deleted"  // archived, or gone for good
	Merged   Kind = "merged"   // merged into another record, or another one into it
	Privacy  Kind = "privacy"  // deleted for good by the wish of the person
	Rejected Kind = "rejected" // to be tried again
)

// Mark marks one record for one job.
type Mark struct {
	Job  string `json:"job"`
	ID   string `json:"id"` // of the record in the source
	Kind Kind   `json:"kind"`
	// At is when it was marked last.
	At time.Time `json:"at"`
	// NotBefore is when it may be served; zero = at once.
	NotBefore time.Time `json:"notBefore,omitzero"`

	// Code is why a rejected record was rejected.
	Code record.Code `json:"code,omitempty"`
	// Tries is how often a rejected record was tried again.
	Tries int `json:"tries,omitempty"`
	// Due is the job's turn from which a rejected record is tried again; 0 = only an
	// edit in the source can help, which comes by itself.
	Due int64 `json:"due,omitempty"`
	// Waits is the value that a rejected record's look-up found nothing for; nil =
	// it waits for no value, or was tried since that value was written.
	Waits *Wait `json:"waits,omitempty"`

	// Woken says of a claimed mark that the value it waits for was written since.
	Woken bool `json:"woken,omitempty"`
	// Version of the stored item. It travels with a claim.
	Version int64 `json:"version,omitempty"`
}

// Wait is a value that a look-up seeks. It is kept as a hash, and as it is only if it
// may be the id of a record.
type Wait struct {
	Object string   `json:"object"` // of the target
	Fields []string `json:"fields"` // of the object, in the order of the look-up
	Hash   string   `json:"hash"`   // as identifiers are hashed in claims
	ID     string   `json:"id,omitempty"`
}

// Next is the turn from which a record is due that was rejected in a turn of its
// job after it was tried again tries times: 1, 2, 4, 8… turns later, at most 64.
func Next(turn int64, tries int) (due int64) { return turn + 1<<min(tries, 6) }

// shards spreads the marks of one object.
const shards = 16

func shard(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return int(h.Sum32() % shards)
}

func partition(object string, shard int) string { return fmt.Sprintf("MARK#%s#%02x", object, shard) }

// Class groups the kinds whose marks share one item per job and record.
type Class string

// The classes. A privacy deletion must not be overwritten by the deletion that
// HubSpot tells beside it, nor a retry by an event.
const (
	Events    Class = "e" // changed, deleted, merged
	Deletions Class = "p" // privacy
	Retries   Class = "r" // rejected, and tried again
	Edits     Class = "w" // rejected, and waiting for an edit
)

func (m Mark) class() Class {
	switch m.Kind {
	case Privacy:
		return Deletions
	case Rejected:
		if m.Due == 0 {
			return Edits
		}
		return Retries
	case Changed, Deleted, Merged:
	}
	return Events
}

func prefix(job string, c Class) string { return job + "#" + string(c) + "#" }
