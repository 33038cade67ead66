package lookup

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"

	"hubspotconnector/internal/fault"
)

// mark begins every encoded index; its last character is the format's version.
const mark = "lookup1\n"

// entrySize is an encoded entry: its key, the place of its prefix and of its end.
const entrySize = 16 + 4 + 4

// Encode writes the index in the form that Decode reads, on any machine. Equal
// indexes that were filled in the same order are written alike.
func (x *Index) Encode(w io.Writer) error {
	x.sort()
	out := bufio.NewWriterSize(w, 1<<16)
	e := &encoder{w: out, sum: crc32.NewIEEE()}
	e.write([]byte(mark))
	e.uint(x.width)
	e.uint(len(x.prefixes))
	for _, p := range x.prefixes {
		e.uint(len(p))
		e.write([]byte(p))
	}
	e.uint(len(x.ends))
	e.write(x.ends)
	e.uint(len(x.entries))
	for i := range x.entries {
		b := append(e.room[:0], x.entries[i].key[:]...)
		b = binary.BigEndian.AppendUint32(b, x.entries[i].prefix)
		e.write(binary.BigEndian.AppendUint32(b, x.entries[i].end))
	}
	if e.err != nil {
		return e.err
	}
	if err := binary.Write(out, binary.BigEndian, e.sum.Sum32()); err != nil {
		return err
	}
	return out.Flush()
}

// encoder writes with a checksum and keeps the first error.
type encoder struct {
	w    io.Writer
	sum  hash.Hash32
	room [32]byte
	err  error
}

func (e *encoder) write(b []byte) {
	if e.err == nil {
		_, e.err = e.w.Write(b)
		_, _ = e.sum.Write(b) // never fails
	}
}

func (e *encoder) uint(n int) { e.write(binary.AppendUvarint(e.room[:0], uint64(n))) } //nolint:gosec // lengths, checked against what is there

// Decode reads what Encode wrote. A file that is not whole is fault.Internal;
// an error of the reader is returned as it is.
func Decode(r io.Reader) (*Index, error) {
	d := &decoder{r: bufio.NewReaderSize(r, 1<<16), sum: crc32.NewIEEE()}
	x := d.index()
	if sum := d.sum.Sum32(); d.err == nil && binary.BigEndian.Uint32(d.next(4)) != sum {
		d.err = errDamaged
	}
	switch {
	case d.err == nil:
		return x, nil
	case errors.Is(d.err, errDamaged), errors.Is(d.err, io.EOF), errors.Is(d.err, io.ErrUnexpectedEOF):
		return nil, fault.Wrap(d.err, fault.Internal, "A look-up index is damaged.")
	}
	return nil, d.err
}

var errDamaged = errors.New("damaged")

func (d *decoder) index() *Index {
	if string(d.next(len(mark))) != mark {
		d.damaged()
	}
	x := &Index{width: d.uint(), prefixAt: map[string]uint32{}, sorted: true}
	for range min(d.uint(), maxPrefixes) {
		p := string(d.read(d.uint()))
		x.prefixAt[p] = uint32(len(x.prefixes)) //nolint:gosec // lengths below 4 GiB
		x.prefixes = append(x.prefixes, p)
	}
	x.ends = d.read(d.uint())
	n := d.uint()
	x.entries = make([]entry, 0, min(n, 1<<20))
	for range n {
		b := d.next(entrySize)
		e := entry{[16]byte(b), binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])}
		if d.err == nil && !x.holds(e) {
			d.damaged()
		}
		if d.err != nil {
			return nil
		}
		x.entries = append(x.entries, e)
	}
	return x
}

// holds reports whether the parts of an entry's GSID are there.
func (x *Index) holds(e entry) bool {
	if int(e.prefix) >= len(x.prefixes) || int(e.end) >= len(x.ends) {
		return false
	}
	n, size := binary.Uvarint(x.ends[e.end:])
	return size > 0 && n <= uint64(len(x.ends)-int(e.end)-size) //nolint:gosec // lengths, checked against what is there
}

// decoder reads with a checksum and keeps the first error; after one it reads
// zeros.
type decoder struct {
	r    *bufio.Reader
	sum  hash.Hash32
	room [entrySize]byte
	err  error
}

func (d *decoder) damaged() {
	if d.err == nil {
		d.err = errDamaged
	}
}

// step is the most that is read at once: a wrong length must not take memory
// that the file does not fill.
const step = 1 << 20

// read returns the next n bytes.
func (d *decoder) read(n int) []byte {
	b := make([]byte, 0, min(n, step))
	for len(b) < n && d.err == nil {
		at := len(b)
		b = append(b, make([]byte, min(n-at, step))...)
		d.fill(b[at:])
	}
	return b
}

// next returns the next n bytes, at most entrySize, until the next call.
func (d *decoder) next(n int) []byte {
	d.fill(d.room[:n])
	return d.room[:n]
}

func (d *decoder) fill(b []byte) {
	if d.err != nil {
		clear(b)
		return
	}
	if _, d.err = io.ReadFull(d.r, b); d.err == nil {
		_, _ = d.sum.Write(b) // never fails
	}
}

// maxLength bounds every length in the file: 2 GiB.
const maxLength = 1 << 31

func (d *decoder) uint() int {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(bytesOf{d})
	if err != nil {
		d.err = err
	}
	if n > maxLength {
		d.damaged()
	}
	if d.err != nil {
		return 0
	}
	return int(n) //nolint:gosec // lengths, checked against what is there
}

// bytesOf reads single bytes of a decoder.
type bytesOf struct{ d *decoder }

// ReadByte implements io.ByteReader.
func (b bytesOf) ReadByte() (byte, error) {
	one := b.d.next(1)
	return one[0], b.d.err
}
