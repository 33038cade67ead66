package delta_test

import (
	"testing"
)

// BenchmarkFirstLoadOfPrints measures what it takes to store a print twice: when its
// row is sent, and when it is delivered.
func BenchmarkFirstLoadOfPrints(b *testing.B) {
	s := newStore(b)
	fill(b, s, b.N, 400)
}
