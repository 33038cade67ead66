package record

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/gzip"

	"hubspotconnector/internal/fault"
)

// Trailer is the last line of a file of lines. Only a whole file has it.
type Trailer struct {
	// Count is the number of lines before the trailer.
	Count int `json:"count"`
	// Next is where the reading that filled the file goes on, "" at the end.
	Next string `json:"next"`
	// SHA256 is the sum of the uncompressed lines before the trailer, in hex.
	SHA256 string `json:"sha256"`
}

// Writer writes values as JSON lines, compressed with gzip. It is for one
// goroutine. After an error every call returns it again.
type Writer struct {
	zip   *gzip.Writer
	sum   hash.Hash
	count int
	line  []byte
	order order
	err   error
}

// NewWriter returns a Writer to w. Nothing is whole before Close.
func NewWriter(w io.Writer) *Writer {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	return &Writer{zip: zip, sum: sha256.New(), err: err}
}

// Write appends one line.
func (w *Writer) Write(v any) error {
	if w.err != nil {
		return w.err
	}
	line := w.line[:0]
	switch v := v.(type) {
	case Record:
		line = v.append(line, &w.order)
	case Row:
		line, w.err = v.append(line)
	default:
		line, w.err = appendValue(line, v)
	}
	if w.err != nil {
		return w.err
	}
	w.line = append(line, '\n')
	w.sum.Write(w.line) // never fails
	w.count++
	_, w.err = w.zip.Write(w.line)
	return w.err
}

// Close writes the trailer and ends the file; the writer below stays open. Count
// and SHA256 are what was written, whatever t says.
func (w *Writer) Close(t Trailer) error {
	if w.err != nil {
		return w.err
	}
	t.Count, t.SHA256 = w.count, hex.EncodeToString(w.sum.Sum(nil))
	line, err := appendValue(nil, t)
	if err == nil {
		_, err = w.zip.Write(append(line, '\n'))
	}
	if err = errors.Join(err, w.zip.Close()); err != nil {
		w.err = err
		return err
	}
	w.err = errors.New("record: writer is closed")
	return nil
}

func appendValue(line []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
	return append(line, b...), err
}

// ReadTrailer reads a file to its end and returns its trailer. A file that is
// not whole or was changed is a fault.Internal.
func ReadTrailer(r io.Reader) (Trailer, error) {
	return read(r, func([]byte) error { return nil })
}

// Read visits the lines of a file in order and returns its trailer. A file that
// is not whole or was changed is a fault.Internal, which may show only after
// lines were visited. An error of visit ends the reading and is returned.
func Read[T any](r io.Reader, visit func(T) error) (Trailer, error) {
	return read(r, func(line []byte) error {
		v, err := Decode[T](line)
		if err != nil {
			return err
		}
		return visit(v)
	})
}

// ReadLines is Read for lines as they are, with their ends. A line is valid during
// visit.
func ReadLines(r io.Reader, visit func(line []byte) error) (Trailer, error) {
	return read(r, visit)
}

// Decode reads one line.
func Decode[T any](line []byte) (v T, err error) {
	if err = decode(line, &v); err != nil {
		err = damaged(err)
	}
	return v, err
}

func decode(line []byte, v any) error {
	if v, ok := v.(*Record); ok { // its UnmarshalJSON, without the check of the line before it
		return v.UnmarshalJSON(line)
	}
	return json.Unmarshal(line, v, jsontext.AllowInvalidUTF8(true))
}

func damaged(err error) error {
	return fault.Wrap(err, fault.Internal, "A staged file is damaged.")
}

// read visits each line but the last, which it takes as the trailer.
func read(r io.Reader, visit func(line []byte) error) (Trailer, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return Trailer{}, damaged(err)
	}
	defer func() { _ = zip.Close() }()
	var (
		lines = bufio.NewReaderSize(zip, 64<<10)
		sum   = sha256.New()
		count = 0
		line  []byte
	)
	for {
		if line, err = nextLine(lines, line[:0]); err != nil {
			return Trailer{}, damaged(err)
		}
		if _, err := lines.Peek(1); errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		sum.Write(line) // never fails
		count++
		if err := visit(line); err != nil {
			return Trailer{}, err
		}
	}
	var t Trailer
	if err := json.Unmarshal(line, &t, jsontext.AllowInvalidUTF8(true)); err != nil {
		return Trailer{}, damaged(fmt.Errorf("decode trailer: %w", err))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); t.Count != count || t.SHA256 != got {
		return Trailer{}, damaged(fmt.Errorf("%d lines with sum %s, want %d with %s", count, got, t.Count, t.SHA256))
	}
	return t, nil
}

// nextLine appends the next line with its end to line. A line without an end is
// io.ErrUnexpectedEOF.
func nextLine(r *bufio.Reader, line []byte) ([]byte, error) {
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, io.EOF):
			return line, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		}
	}
}
