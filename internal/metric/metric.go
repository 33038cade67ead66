// Package metric names what the connector measures. Who measures gets a Sink;
// what becomes of the values is the matter of who made it: on AWS they are
// CloudWatch metrics, on one machine nothing.
//
// Names and dimensions are what alarms and the dashboard are built on: one may
// be added, none renamed. No value of a dimension names a customer's data.
package metric

import "context"

// Namespace is where all metrics stand. Each also has the dimension Stack.
const Namespace = "HubSpotGainsight"

// Stack is the dimension that tells deployments apart: the stack's name.
const Stack = "Stack"

// Name names a metric.
type Name string

// What is measured; behind each, its unit, its dimension and who emits it.
const (
	// Records counts records of closed runs; Outcome; finish.
	Records Name = "Records"
	// Runs counts closed job runs; Status; finish.
	Runs Name = "Runs"
	// VendorCalls counts calls sent; Vendor; every function.
	VendorCalls Name = "VendorCalls"
	// Throttles counts answers that say that a quota is spent; Vendor; every function.
	Throttles Name = "Throttles"
	// TokenRefreshes counts access tokens fetched; Vendor; every function.
	TokenRefreshes Name = "TokenRefreshes"
	// QuotaUse is the used share of the longest window of a quota in percent, if
	// that is an hour or more; Quota; sweep every hour.
	QuotaUse Name = "QuotaUse"
	// WebhookEvents counts events that were taken; no dimension; webhook.
	WebhookEvents Name = "WebhookEvents"
	// WebhookRejections counts requests that were refused; no dimension; webhook.
	WebhookRejections Name = "WebhookRejections"
	// WebhookLag is the seconds from a change in HubSpot to the event's arrival;
	// no dimension; webhook.
	WebhookLag Name = "WebhookLag"
	// RunAge is the seconds since the oldest open round began, 0 if none is open;
	// no dimension; sweep every hour.
	RunAge Name = "RunAge"
	// SuccessAge is the seconds since a chain with an active schedule last
	// succeeded, partial successes included, or since it was first looked at; Chain;
	// sweep every hour.
	SuccessAge Name = "SuccessAge"
	// ReauthorizationNeeded is the number of connections that people must
	// authorize again; no dimension; sweep every hour, and who finds it out.
	ReauthorizationNeeded Name = "ReauthorizationNeeded"
)

// Dimension names what a metric is broken down by.
type Dimension string

// The dimensions. The zero Dimension means that a metric has none of its own.
const (
	// Outcome is extracted, filtered, inserted, updated, unchanged or rejected.
	Outcome Dimension = "Outcome"
	// Status is a run.Status: Success, Partial Success, Failed or Skipped.
	Status Dimension = "Status"
	// Vendor is HubSpot or Gainsight.
	Vendor Dimension = "Vendor"
	// Quota is a budget's name, such as gainsight-calls.
	Quota Dimension = "Quota"
	// Chain is a chain's id.
	Chain Dimension = "Chain"
)

// Unit is CloudWatch's name of a unit.
type Unit string

// The units. Values that are counted within one invocation are summed.
const (
	Count   Unit = "Count"
	Percent Unit = "Percent"
	Seconds Unit = "Seconds"
)

// Kind returns a metric's unit and its dimension, "" if it has none.
func Kind(n Name) (Unit, Dimension) {
	switch n {
	case Records:
		return Count, Outcome
	case Runs:
		return Count, Status
	case VendorCalls, Throttles, TokenRefreshes:
		return Count, Vendor
	case QuotaUse:
		return Percent, Quota
	case SuccessAge:
		return Seconds, Chain
	case WebhookLag, RunAge:
		return Seconds, ""
	case WebhookEvents, WebhookRejections, ReauthorizationNeeded:
	}
	return Count, ""
}

// Sink takes one value of a metric; of is the value of its dimension, "" if it
// has none. It returns at once, never fails, and may be used at once by many.
// The nil Sink takes values and forgets them.
type Sink func(ctx context.Context, name Name, of string, value float64)

// Emit gives the sink a value.
func (s Sink) Emit(ctx context.Context, name Name, of string, value float64) {
	if s != nil {
		s(ctx, name, of, value)
	}
}
