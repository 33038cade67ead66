//go:build race

package scenario

// raced says that the race detector watches.
const raced = true
