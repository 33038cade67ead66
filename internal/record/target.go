package record

// Result is what became of one row that was sent to the target.
type Result struct {
	// Done is true when the target answered for this row: it is stored, or
	// refused. After a failed call some rows may be done and others not.
	Done bool
	// GSID of the stored row; "" if the target did not say.
	GSID string
	// Refusal says why the target refused the row; nil means that it is stored.
	Refusal *Refusal
}

// Refusal is the target's reason against one row. Field, Value and Message may
// hold record values: they go to the error file, never to a log.
type Refusal struct {
	Code    string
	Field   string
	Value   string
	Message string
}
