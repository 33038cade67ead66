package table

import "hubspotconnector/internal/fault"

// Limits of a key, those of DynamoDB.
const (
	MaxPartitionBytes = 2048
	MaxSortBytes      = 1024
)

// CheckKey returns why a key cannot be a key, fault.Invalid. It is for adapters.
func CheckKey(key Key) error {
	switch {
	case key.Partition == "" || key.Sort == "":
		return fault.New(fault.Invalid, "A stored item needs a name.")
	case len(key.Partition) > MaxPartitionBytes || len(key.Sort) > MaxSortBytes:
		return fault.New(fault.Invalid, "A name of %d characters is too long to be stored.", max(len(key.Partition), len(key.Sort)))
	}
	return nil
}

// CheckItem returns why an item cannot be stored, fault.Invalid. It is for
// adapters.
func CheckItem(item Item) error {
	if err := CheckKey(item.Key); err != nil {
		return err
	}
	if size := len(item.Partition) + len(item.Sort) + len(item.Doc); size > MaxItemBytes {
		return TooLarge(size)
	}
	return nil
}

// TooLarge is the error of an item of so many bytes, for adapters.
func TooLarge(size int) error {
	return fault.New(fault.Invalid, "This is too large to be stored: %d KB of at most %d KB.", (size+1023)>>10, MaxItemBytes>>10)
}

// CheckItems returns why items cannot be stored together, fault.Invalid. It is
// for adapters.
func CheckItems(items []Item) error {
	seen := make(map[Key]bool, len(items))
	for _, item := range items {
		if err := CheckItem(item); err != nil {
			return err
		}
		if seen[item.Key] {
			return errTwice()
		}
		seen[item.Key] = true
	}
	return nil
}

// CheckOps returns why ops are not one Write, fault.Invalid. It is for adapters.
func CheckOps(ops []Op) error {
	if len(ops) == 0 || len(ops) > MaxWriteOps {
		return fault.New(fault.Invalid, "One write has 1 to %d parts, not %d.", MaxWriteOps, len(ops))
	}
	size, seen := 0, make(map[Key]bool, len(ops))
	for _, op := range ops {
		var err error
		switch op.Verb {
		case Put:
			err = CheckItem(op.Item)
		case Delete, Check:
			err = CheckKey(op.Item.Key)
		default:
			err = fault.New(fault.Invalid, "A write cannot %q.", op.Verb)
		}
		if err != nil {
			return err
		}
		if seen[op.Item.Key] {
			return errTwice()
		}
		seen[op.Item.Key] = true
		size += len(op.Item.Partition) + len(op.Item.Sort) + len(op.Item.Doc)
	}
	if size > MaxWriteBytes {
		return fault.New(fault.Invalid, "This is too large to be stored in one piece: %d KB of at most %d KB.", (size+1023)>>10, MaxWriteBytes>>10)
	}
	return nil
}

func errTwice() error { return fault.New(fault.Invalid, "One write has the same item twice.") }
