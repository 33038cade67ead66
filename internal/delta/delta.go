// Package delta remembers, per job and record, what was delivered last and how
// it ended, so that an unchanged record costs no call, a known row is updated by
// its GSID, and no identifier is written by two records.
package delta

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/table"
)

// Print is what is known of one record of one job. The zero Print is a record
// that was never settled.
type Print struct {
	// Hash is the fingerprint of the row that was delivered last; "" if none was,
	// or if it is not whole yet (deferred to the second pass).
	Hash string `json:"hash,omitempty"`
	// Version is the source's version of what was delivered.
	Version int64 `json:"version,omitempty"`
	// Seen and Read are the source's version that the last outcome is about, and when
	// it was read, in milliseconds since the epoch; 0 = nobody noted it.
	Seen int64 `json:"seen,omitempty"`
	Read int64 `json:"read,omitempty"`
	// Sending is the run that sends a row of the record just now, or that died then.
	Sending run.ID `json:"sending,omitempty"`
	// Tried says that a row may have been inserted whose GSID is not known.
	Tried bool `json:"tried,omitempty"`
	// GSID of the target row, "" if not known.
	GSID string `json:"gsid,omitempty"`
	// Filled names the target fields that this job filled and has not cleared.
	Filled []string `json:"filled,omitempty"`
	// Keys are the hashes of the identifiers that the record claims.
	Keys []string `json:"keys,omitempty"`

	// Gone says how the record left the source; "" if it is there. The GSID of one
	// that is gone is the row that still stands, with the Keys that it was written by.
	Gone record.Gone `json:"gone,omitempty"`
	// Set is the target field in which the row says that its record is gone.
	Set string `json:"set,omitempty"`

	// The last outcome, for people who look for the record.
	Run     run.ID      `json:"run"`
	Outcome run.Outcome `json:"outcome"`
	Pass    int         `json:"pass,omitempty"` // of the run, 2 or 0
	Code    record.Code `json:"code,omitempty"`
	Reason  string      `json:"reason,omitempty"`
	Fix     string      `json:"fix,omitempty"`

	Stored int64 `json:"-"` // counts its changes, from 1; 0 for a print that is not stored
}

// Claim says which record holds an identifier.
type Claim struct {
	Source string `json:"source"`

	Version int64 `json:"-"` // of the item; 0 for a claim that is not stored
}

// Store keeps prints and claims on a table.
type Store struct{ Table table.Table }

// shards is over how many partitions the claims of a job are spread.
const shards = 64

func shard(id string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return fmt.Sprintf("%02x", h.Sum32()%shards)
}

func claimKey(job, hash string) table.Key {
	return table.Key{Partition: "CLAIM#" + job + "#" + shard(hash), Sort: hash}
}

// Claims returns who holds the identifiers with these hashes. :: hash → claim
func (s *Store) Claims(ctx context.Context, job string, hashes []string) (map[string]Claim, error) {
	keys := make([]table.Key, len(hashes))
	for i, hash := range hashes {
		keys[i] = claimKey(job, hash)
	}
	items, err := s.Table.GetMany(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read %d claims: %w", len(keys), err)
	}
	claims := make(map[string]Claim, len(items))
	for _, item := range items {
		c := Claim{Version: item.Version}
		if err := json.Unmarshal(item.Doc, &c); err != nil {
			return nil, fmt.Errorf("decode claim: %w", err)
		}
		claims[item.Sort] = c
	}
	return claims, nil
}

// Claim makes source the holder of an identifier: of a free one if was is the
// zero Claim, else by taking it from that holder. fault.Conflict means that
// somebody else was faster. The guard (a lease check) is part of the write.
func (s *Store) Claim(ctx context.Context, job string, guard table.Op, claims map[string]Claim, was map[string]Claim) error {
	hashes := slices.Sorted(maps.Keys(claims))
	for chunk := range slices.Chunk(hashes, table.MaxWriteOps-1) {
		ops := []table.Op{guard}
		for _, hash := range chunk {
			cond := table.Absent()
			if old := was[hash]; old.Version > 0 {
				cond = table.VersionIs(old.Version)
			}
			ops = append(ops, table.Op{Verb: table.Put, Item: table.New(claimKey(job, hash), claims[hash]), If: cond})
		}
		if err := s.Table.Write(ctx, ops); err != nil {
			return fmt.Errorf("claim %d identifiers: %w", len(chunk), err)
		}
	}
	return nil
}

// DropOp is the write that gives up a claim, as it was read.
func DropOp(job, hash string, c Claim) table.Op {
	return table.Op{Verb: table.Delete, Item: table.Item{Key: claimKey(job, hash)}, If: table.VersionIs(c.Version)}
}

// Release gives up a record's claim of an identifier. A claim that another
// record holds by now is left alone.
func (s *Store) Release(ctx context.Context, job, source, hash string) error {
	claims, err := s.Claims(ctx, job, []string{hash})
	if err != nil {
		return err
	}
	if c, held := claims[hash]; held && c.Source == source {
		err := s.Table.Delete(ctx, claimKey(job, hash), table.VersionIs(c.Version))
		if fault.Is(err, fault.Conflict) { // taken meanwhile
			return nil
		}
		return err
	}
	return nil
}

// Identifier is the stored form of an identifier, the values of fields that
// together tell a row: they are record values and are kept as a hash only. Values
// are compared without case and outer spaces.
func Identifier(fields, values []string) string {
	parts := make([]string, 0, len(fields)+len(values))
	parts = append(parts, fields...)
	for _, v := range values {
		parts = append(parts, strings.ToLower(strings.TrimSpace(v)))
	}
	return hash(strings.Join(parts, "\x1f"), 15)
}

// Fingerprint identifies what a row would write.
func Fingerprint(row record.Row) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(row.Fields)) {
		v, _ := json.Marshal(row.Fields[name]) // text, numbers, booleans, lists of text: never fails
		fmt.Fprintf(&b, "%q=%s\n", name, v)
	}
	fmt.Fprintf(&b, "keep %q null %q", row.Keep, row.Null)
	return hash(b.String(), 9) // compared with the record's last one only
}

// hash returns the first n bytes of a hash as text; n is a multiple of 3.
func hash(s string, n int) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:n])
}

// Write returns the fields of a row that are sent to the target, and the fields
// filled by this job afterwards. An empty field is cleared if this job filled it
// before or if the mapping always writes null, else left alone.
func (p Print) Write(row record.Row) (fields map[string]any, filled []string) {
	fields = make(map[string]any, len(row.Fields))
	now := map[string]bool{}
	for _, name := range p.Filled {
		now[name] = true
	}
	for name, value := range row.Fields {
		switch {
		case value != nil:
			fields[name], now[name] = value, true
		case slices.Contains(row.Keep, name):
		case now[name] || slices.Contains(row.Null, name):
			fields[name] = nil
			delete(now, name)
		}
	}
	return fields, slices.Sorted(maps.Keys(now))
}
