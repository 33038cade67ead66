package mark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// Store keeps marks on a table, by the type id of the source's object.
type Store struct{ Table table.Table }

func key(object string, m Mark) table.Key { return keyOf(object, m.Job, m.class(), m.ID) }

func keyOf(object, job string, c Class, id string) table.Key {
	return table.Key{Partition: partition(object, shard(id)), Sort: prefix(job, c) + id}
}

func item(object string, m Mark) table.Item {
	m.Version, m.Woken = 0, false
	return table.New(key(object, m), m)
}

func decode(it table.Item) (Mark, error) {
	var m Mark
	if err := json.Unmarshal(it.Doc, &m); err != nil {
		return m, fmt.Errorf("decode mark %s: %w", it.Sort, err)
	}
	m.Version = it.Version
	return m, nil
}

// Put marks records, in bulk; two marks of one job, class and record count as
// the last. They are durable on return; after an error some may be. A mark that
// was there already changes, which keeps a run that has claimed it from removing it.
func (s *Store) Put(ctx context.Context, object string, marks []Mark) error {
	byKey := make(map[table.Key]int, len(marks))
	items := make([]table.Item, 0, len(marks))
	for _, m := range marks {
		it := item(object, m)
		if at, twice := byKey[it.Key]; twice {
			items[at] = it
			continue
		}
		byKey[it.Key] = len(items)
		items = append(items, it)
	}
	if len(items) == 0 {
		return nil
	}
	if err := s.Table.PutMany(ctx, items); err != nil {
		return fmt.Errorf("mark %d records of %s: %w", len(items), object, err)
	}
	return nil
}

// PutOp is the write of one mark as part of another Write.
func PutOp(object string, m Mark) table.Op { return table.Op{Verb: table.Put, Item: item(object, m)} }

// RejectOps are the writes that mark a record as Rejected, however it was before.
func RejectOps(object string, m Mark) []table.Op {
	other := Retries
	if m.class() == Retries {
		other = Edits
	}
	return []table.Op{{Verb: table.Put, Item: item(object, m)}, drop(object, m.Job, other, m.ID)}
}

// HealOps are the writes that remove the mark of a rejected record.
func HealOps(object, job, id string) []table.Op {
	return []table.Op{drop(object, job, Retries, id), drop(object, job, Edits, id)}
}

func drop(object, job string, c Class, id string) table.Op {
	return table.Op{Verb: table.Delete, Item: table.Item{Key: keyOf(object, job, c, id)}}
}

// classes are all classes.
func classes() []Class { return []Class{Events, Deletions, Retries, Edits} }

// ForgetOps are the writes that remove all marks of a record for a job.
func ForgetOps(object, job, id string) []table.Op {
	var ops []table.Op
	for _, c := range classes() {
		ops = append(ops, drop(object, job, c, id))
	}
	return ops
}

// Each visits the marks of a job and class, in no order that counts. visit
// returns false to end it.
func (s *Store) Each(ctx context.Context, object, job string, c Class, visit func(Mark) (bool, error)) error {
	stop := errors.New("stop")
	for n := range shards {
		err := table.All(ctx, s.Table, partition(object, n), table.Range{Prefix: prefix(job, c)}, func(it table.Item) error {
			m, err := decode(it)
			if err != nil {
				return err
			}
			more, err := visit(m)
			if err == nil && !more {
				return stop
			}
			return err
		})
		if errors.Is(err, stop) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read marks of job %s: %w", job, err)
		}
	}
	return nil
}

// Any reports whether the job has a mark of one of the classes.
func (s *Store) Any(ctx context.Context, object, job string, classes ...Class) (bool, error) {
	found := false
	for _, c := range classes {
		for n := range shards {
			page, err := s.Table.Query(ctx, partition(object, n), table.Range{Prefix: prefix(job, c)}, 1, "", false)
			if err != nil {
				return false, fmt.Errorf("read marks of job %s: %w", job, err)
			}
			if found = found || len(page.Items) > 0; found {
				return true, nil
			}
		}
	}
	return false, nil
}

// Counts returns how many records are marked for a job. :: kind → marks
func (s *Store) Counts(ctx context.Context, object, job string) (map[Kind]int, error) {
	counts := map[Kind]int{}
	for _, c := range classes() {
		err := s.Each(ctx, object, job, c, func(m Mark) (bool, error) {
			counts[m.Kind]++
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// Settle removes the marks that are as they were claimed and leaves those that
// changed since. The guard (a lease check) is part of each write; if it fails,
// so does Settle, with the write's error. It returns how many changed. Twice is
// once.
func (s *Store) Settle(ctx context.Context, guard table.Op, object string, claimed []Mark) (changed int, err error) {
	for chunk := range slices.Chunk(claimed, table.MaxWriteOps-1) {
		ops := []table.Op{guard}
		for _, m := range chunk {
			ops = append(ops, table.Op{Verb: table.Delete, Item: table.Item{Key: key(object, m)}, If: table.VersionIs(m.Version)})
		}
		for len(ops) > 1 {
			err := s.Table.Write(ctx, ops)
			if err == nil {
				break
			}
			failed, ok := errors.AsType[*table.FailedError](err)
			if !ok || !fault.Is(err, fault.Conflict) || !strings.HasPrefix(failed.Key.Partition, "MARK#") {
				return changed, fmt.Errorf("settle %d marks: %w", len(chunk), err)
			}
			if failed.Stored != nil {
				changed++
			}
			ops = slices.DeleteFunc(ops, func(op table.Op) bool { return op.Item.Key == failed.Key })
		}
	}
	return changed, nil
}
