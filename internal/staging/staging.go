// Package staging keeps what a run passes from step to step in files: the frozen
// plan, extracted parts, rows, and look-up indexes. A file is written once and
// never changes, so a step that finds its file written goes on behind it.
package staging

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping/lookup"
	"hubspotconnector/internal/mark"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
)

// Plan is what a run works by, frozen when it was planned.
type Plan struct {
	Run run.ID  `json:"run"`
	Job job.Job `json:"job"`
	// PortalID is the source account, for links to its records.
	PortalID int64 `json:"portalId,omitempty"`
	// Source and Target are the schemas at the time of the plan; Lookups :: object
	// of a derived mapping → its schema.
	Source  record.Schema            `json:"source"`
	Target  record.Schema            `json:"target"`
	Lookups map[string]record.Schema `json:"lookups,omitempty"`
	// ResolutionKeys are the person fields that tell people apart.
	ResolutionKeys []string     `json:"resolutionKeys,omitempty"`
	Query          record.Query `json:"query"`
	PartSize       int          `json:"partSize"`
	// Watermark is what the job's watermark becomes when every part is settled.
	Watermark time.Time `json:"watermark"`
	// Skipped are mapped fields that the source no longer has, or has with another
	// type, each with why; the run is at best a Partial Success.
	Skipped []string `json:"skipped,omitempty"`
	// Broken, if set, is why the job cannot run; its first step fails with it.
	Broken *Broken `json:"broken,omitempty"`
	// Now is the moment that relative filters ("in the last 7 days") count from.
	Now time.Time `json:"now"`
	// Mode says which records are read beside the query, or instead of it. "" is a
	// plan of an earlier version, or one that reads its query alone.
	Mode run.Mode `json:"mode,omitempty"`
	// ArchivedSince makes the run look for records that were archived since; zero =
	// it does not.
	ArchivedSince time.Time `json:"archivedSince,omitzero"`
	// Swept says that up to Now no archived record is missed when the run has ended.
	Swept bool `json:"swept,omitempty"`
	// Turn counts the job's runs that read its changes, this one included.
	Turn int64 `json:"turn,omitempty"`
	// SetDeleted is the value of the field that says that a record is gone, if the
	// job sets one. NoDelete, if not "", is why that cannot be done: one sentence.
	SetDeleted json.RawMessage `json:"setDeleted,omitempty"`
	NoDelete   string          `json:"noDelete,omitempty"`
	// Most is how many records the run reads; what is left goes to slices. 0 = all.
	Most int `json:"most,omitempty"`
	// From is where a slice begins, as the cursor of the source.
	From string `json:"from,omitempty"`
	// PerDay is how many rows of the job the target takes a day; 0 = nobody knows.
	PerDay int `json:"perDay,omitempty"`
	// Behind are the jobs before this one in its chain: all of its records wait for
	// all of theirs.
	Behind []string `json:"behind,omitempty"`
	// Chain is the id of the chain that goes on with what is left; "" = the job.
	Chain string `json:"chain,omitempty"`
	// Compare opens a full comparison in the backlog lane when the run has ended well.
	Compare bool `json:"compare,omitempty"`
	// Unique says that no two records of the source have the same identifier of the
	// job at a time, as the source itself sees to it.
	Unique bool `json:"unique,omitempty"`
	// Writers are the jobs that write what this one looks up.
	Writers []Writer `json:"writers,omitempty"`
}

// Writer is a job that writes rows of an object under an identifier.
type Writer struct {
	Job    string   `json:"job"`
	Object string   `json:"object"` // as a look-up names it
	Fields []string `json:"fields"` // of the identifier
	// ByID says that the identifier is the id of the record that is written.
	ByID bool `json:"byId,omitempty"`
}

// Broken is a fault, stored.
type Broken struct {
	Kind    fault.Kind `json:"kind"`
	Message string     `json:"message"`
}

// Entry is one line of a staged rows file: exactly one of Row, Reject, Filtered
// and Gone is set.
type Entry struct {
	Row      *record.Row    `json:"row,omitempty"`
	Reject   *record.Reject `json:"reject,omitempty"`
	Filtered string         `json:"filtered,omitempty"` // source id
	// Version and Read are those of the record that was read.
	Version int64 `json:"version,omitempty"`
	Read    int64 `json:"read,omitempty"`
	// Archived marks an entry of a record that is archived in the source.
	Archived bool `json:"archived,omitempty"`
	// Gone, instead of the other three, is a record that the source no longer has.
	Gone *Gone `json:"gone,omitempty"`
	// Waits goes with a Reject: the value that its look-up found nothing for.
	Waits *mark.Wait `json:"waits,omitempty"`
}

// Gone is a record that left the source.
type Gone struct {
	ID   string      `json:"id"`
	How  record.Gone `json:"how"`
	Into string      `json:"into,omitempty"` // the record that it was merged into
}

// ID is the source id of the entry's record.
func (e Entry) ID() string {
	switch {
	case e.Row != nil:
		return e.Row.SourceID
	case e.Reject != nil:
		return e.Reject.SourceID
	case e.Gone != nil:
		return e.Gone.ID
	}
	return e.Filtered
}

// Store keeps a run's files in a bucket.
type Store struct{ Bucket blob.Bucket }

func name(id run.ID, format string, args ...any) string {
	return "runs/" + string(id) + "/" + fmt.Sprintf(format, args...)
}

func partName(id run.ID, part int) string { return name(id, "part-%05d.jsonl.gz", part) }

func rowsName(id run.ID, part, pass int) string {
	return name(id, "rows-%05d-%d.jsonl.gz", part, pass)
}

// PutPlan stores the plan. A plan that is there already is fault.Conflict.
func (s *Store) PutPlan(ctx context.Context, p Plan) error {
	return s.Bucket.Create(ctx, name(p.Run, "plan.json"), func(w io.Writer) error { return json.NewEncoder(w).Encode(p) })
}

// Plan returns the plan of a run, or fault.NotFound.
func (s *Store) Plan(ctx context.Context, id run.ID) (Plan, error) {
	var p Plan
	f, err := s.Bucket.Open(ctx, name(id, "plan.json"))
	if err != nil {
		return p, fmt.Errorf("open plan of run %s: %w", id, err)
	}
	defer func() { _ = f.Close() }()
	if err := json.NewDecoder(f).Decode(&p); err != nil {
		return p, fmt.Errorf("decode plan of run %s: %w", id, err)
	}
	return p, nil
}

// A Draft gathers the lines of a file in memory, compressed, until Put.
type Draft struct {
	buf   bytes.Buffer
	w     *record.Writer
	Count int
}

// NewDraft returns an empty draft.
func NewDraft() *Draft {
	d := &Draft{}
	d.w = record.NewWriter(&d.buf)
	return d
}

// Add appends one line.
func (d *Draft) Add(v any) error {
	d.Count++
	return d.w.Write(v)
}

// put writes the draft under the name, or returns the trailer of the file that
// is there already.
func (s *Store) put(ctx context.Context, file string, d *Draft, t record.Trailer) (record.Trailer, error) {
	t.Count = d.Count
	if err := d.w.Close(t); err != nil {
		return t, fmt.Errorf("write %s: %w", file, err)
	}
	err := s.Bucket.Create(ctx, file, func(w io.Writer) error {
		_, err := w.Write(d.buf.Bytes())
		return err
	})
	if fault.Is(err, fault.Conflict) {
		return s.trailer(ctx, file)
	}
	if err != nil {
		return t, fmt.Errorf("write %s: %w", file, err)
	}
	return t, nil
}

func (s *Store) trailer(ctx context.Context, file string) (record.Trailer, error) {
	f, err := s.Bucket.Open(ctx, file)
	if err != nil {
		return record.Trailer{}, err
	}
	defer func() { _ = f.Close() }()
	t, err := record.ReadTrailer(f)
	if err != nil {
		return t, fmt.Errorf("read trailer of %s: %w", file, err)
	}
	return t, nil
}

func read[T any](ctx context.Context, s *Store, file string, visit func(T) error) (record.Trailer, error) {
	return s.open(ctx, file, func(r io.Reader) (record.Trailer, error) { return record.Read(r, visit) })
}

func (s *Store) open(ctx context.Context, file string, read func(io.Reader) (record.Trailer, error)) (record.Trailer, error) {
	f, err := s.Bucket.Open(ctx, file)
	if err != nil {
		return record.Trailer{}, fmt.Errorf("open %s: %w", file, err)
	}
	defer func() { _ = f.Close() }()
	t, err := read(f)
	if err != nil {
		return t, fmt.Errorf("read %s: %w", file, err)
	}
	return t, nil
}

// PutPart stores an extracted part whose records end before cursor next. If it
// is there already, the trailer of what is there is returned.
func (s *Store) PutPart(ctx context.Context, id run.ID, part int, d *Draft, next string) (record.Trailer, error) {
	return s.put(ctx, partName(id, part), d, record.Trailer{Next: next})
}

// PartTrailer returns the trailer of an extracted part, or fault.NotFound.
func (s *Store) PartTrailer(ctx context.Context, id run.ID, part int) (record.Trailer, error) {
	return s.trailer(ctx, partName(id, part))
}

// Part visits the records of an extracted part, in order.
func (s *Store) Part(ctx context.Context, id run.ID, part int, visit func(record.Record) error) error {
	_, err := read(ctx, s, partName(id, part), visit)
	return err
}

// PutMarks stores the marks that a run has claimed, unless they are there already.
func (s *Store) PutMarks(ctx context.Context, id run.ID, marks []mark.Mark) error {
	d := NewDraft()
	for _, m := range marks {
		if err := d.Add(m); err != nil {
			return err
		}
	}
	_, err := s.put(ctx, name(id, "marks.jsonl.gz"), d, record.Trailer{})
	return err
}

// Marks returns the marks that a run has claimed, or fault.NotFound.
func (s *Store) Marks(ctx context.Context, id run.ID) ([]mark.Mark, error) {
	marks := []mark.Mark{}
	_, err := read(ctx, s, name(id, "marks.jsonl.gz"), func(m mark.Mark) error {
		marks = append(marks, m)
		return nil
	})
	return marks, err
}

// PutRows stores the entries of a part's pass, unless they are there already.
func (s *Store) PutRows(ctx context.Context, id run.ID, part, pass int, d *Draft) error {
	_, err := s.put(ctx, rowsName(id, part, pass), d, record.Trailer{})
	return err
}

// HasRows reports whether the entries of a part's pass are stored.
func (s *Store) HasRows(ctx context.Context, id run.ID, part, pass int) (bool, error) {
	f, err := s.Bucket.Open(ctx, rowsName(id, part, pass))
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// Rows visits the entries of a part's pass, in order.
func (s *Store) Rows(ctx context.Context, id run.ID, part, pass int, visit func(Entry) error) error {
	_, err := read(ctx, s, rowsName(id, part, pass), visit)
	return err
}

// RowLines visits the entries of a part's pass as they are stored, in order. A line is
// valid during visit.
func (s *Store) RowLines(ctx context.Context, id run.ID, part, pass int, visit func(line []byte) error) error {
	_, err := s.open(ctx, rowsName(id, part, pass), func(r io.Reader) (record.Trailer, error) { return record.ReadLines(r, visit) })
	return err
}

// DecodeEntry decodes a line of RowLines.
func DecodeEntry(line []byte) (Entry, error) { return record.Decode[Entry](line) }

// PutIndex stores a look-up index under a name of letters, digits and dashes.
func (s *Store) PutIndex(ctx context.Context, id run.ID, index string, x *lookup.Index) error {
	err := s.Bucket.Create(ctx, name(id, "index-%s", index), x.Encode)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// Index returns a stored index, or fault.NotFound.
func (s *Store) Index(ctx context.Context, id run.ID, index string) (*lookup.Index, error) {
	return s.index(ctx, name(id, "index-%s", index))
}

// Begun is a look-up index that is not whole yet, by the index's name.
type Begun struct {
	Store *Store
	Run   run.ID
	Index string
}

// Put stores how far the index has come: it holds the rows up to a GSID.
func (d Begun) Put(ctx context.Context, upTo string, x *lookup.Index) error {
	err := d.Store.Bucket.Create(ctx, name(d.Run, "index-%s-up-to-%x", d.Index, upTo), x.Encode)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// Get returns what came farthest, and the GSID up to which it holds rows, or
// fault.NotFound.
func (d Begun) Get(ctx context.Context) (x *lookup.Index, upTo string, err error) {
	prefix := name(d.Run, "index-%s-up-to-", d.Index)
	files, err := d.Store.Bucket.List(ctx, prefix)
	if err != nil {
		return nil, "", err
	}
	if len(files) == 0 {
		return nil, "", fault.New(fault.NotFound, "Nothing of this index was read yet.")
	}
	last := files[len(files)-1].Name // hexadecimal digits keep the order of GSIDs
	gsid, err := hex.DecodeString(strings.TrimPrefix(last, prefix))
	if err != nil {
		return nil, "", fmt.Errorf("read name of %s: %w", last, err)
	}
	x, err = d.Store.index(ctx, last)
	return x, string(gsid), err
}

func (s *Store) index(ctx context.Context, file string) (*lookup.Index, error) {
	f, err := s.Bucket.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return lookup.Decode(f)
}
