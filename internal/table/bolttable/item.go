package bolttable

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"hubspotconnector/internal/table"
)

var errDamaged = errors.New("an item is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli) //nolint:gochecknoglobals // a constant

// partitionKey is what the keys of a partition's items start with, and nobody
// else's.
func partitionKey(partition string) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(partition))), partition...)
}

func itemKey(key table.Key) []byte { return append(partitionKey(key.Partition), key.Sort...) }

// behind returns the smallest key that is greater than all keys that start with
// prefix; nil if there is none.
func behind(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// value is a stored item without its key. Its document lies in bbolt's memory
// and is gone with the transaction.
type value struct {
	version int64
	expires int64 // seconds since the epoch, 0 = never
	doc     []byte
}

func (v value) expired(now int64) bool { return v.expires != 0 && v.expires <= now }

func (v value) expiry() time.Time {
	if v.expires == 0 {
		return time.Time{}
	}
	return time.Unix(v.expires, 0).UTC()
}

// item copies the value.
func (v value) item(key table.Key) table.Item {
	return table.Item{Key: key, Version: v.version, Expires: v.expiry(), Doc: bytes.Clone(v.doc)}
}

func (v value) encode(key []byte) []byte {
	b := make([]byte, 4, 4+2*binary.MaxVarintLen64+len(v.doc))
	b = binary.AppendVarint(b, v.version)
	b = binary.AppendVarint(b, v.expires)
	b = append(b, v.doc...)
	binary.BigEndian.PutUint32(b, sum(key, b[4:]))
	return b
}

func sum(key, rest []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, rest)
}

func decode(key, b []byte) (value, error) {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != sum(key, b[4:]) {
		return value{}, errDamaged
	}
	rest := b[4:]
	version, n := binary.Varint(rest)
	if n <= 0 {
		return value{}, errDamaged
	}
	rest = rest[n:]
	expires, n := binary.Varint(rest)
	if n <= 0 {
		return value{}, errDamaged
	}
	return value{version: version, expires: expires, doc: rest[n:]}, nil
}

// find returns the unexpired item, and whether there is one.
func find(items *bbolt.Bucket, key []byte, now int64) (v value, ok bool, err error) {
	b := items.Get(key)
	if b == nil {
		return value{}, false, nil
	}
	if v, err = decode(key, b); err != nil {
		return value{}, false, err
	}
	return v, !v.expired(now), nil
}
