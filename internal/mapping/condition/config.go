package condition

// Filter is conditions joined by an expression over their letters. The zero
// Filter always holds.
type Filter struct {
	// Conditions get the letters A, B, C… in their order; at most 26.
	Conditions []Condition `json:"conditions,omitempty"`
	// Expression such as "A AND (B OR C)". "" joins all by AND.
	Expression string `json:"expression,omitempty"`
}

// Condition compares one field.
type Condition struct {
	Field string   `json:"field"`
	Op    Op       `json:"op"`
	Value []string `json:"value,omitempty"`
	// Exact compares text with its case; without it case does not count.
	Exact bool `json:"exact,omitempty"`
}

// Op is a comparison. Which ones fit depends on the field's type.
type Op string

// The comparisons.
const (
	Equals         Op = "equals"
	NotEquals      Op = "notEquals"
	Contains       Op = "contains"
	NotContains    Op = "notContains"
	StartsWith     Op = "startsWith"
	EndsWith       Op = "endsWith"
	IsNull         Op = "isNull"
	IsNotNull      Op = "isNotNull"
	Less           Op = "less"
	LessOrEqual    Op = "lessOrEqual"
	Greater        Op = "greater"
	GreaterOrEqual Op = "greaterOrEqual"
	In             Op = "in"
	NotIn          Op = "notIn"
	Before         Op = "before"
	After          Op = "after"
	Between        Op = "between" // two values, both inclusive
	InLastDays     Op = "inLastDays"
	Includes       Op = "includes"
	Excludes       Op = "excludes"
)
