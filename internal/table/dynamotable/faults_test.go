package dynamotable_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/dynamotable"
)

// line is the way to DynamoDB and back.
type line func(*http.Request) (*http.Response, error)

func (l line) RoundTrip(r *http.Request) (*http.Response, error) { return l(r) }

// said is a call as DynamoDB gets it.
type said struct {
	Operation string // GetItem…
	Body      map[string]any
}

// answers returns a table whose calls get these answers in turn, the last one
// again and again, and the calls that were made. A text that starts with "{" is
// a success; any other is an error: its code, a space, and more fields.
func answers(t *testing.T, status int, texts ...string) (items *dynamotable.Table, made *[]said) {
	t.Helper()
	made = new([]said)
	l := line(func(r *http.Request) (*http.Response, error) {
		call := said{Operation: strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")}
		if err := json.NewDecoder(r.Body).Decode(&call.Body); err != nil {
			t.Errorf("a body that is no JSON: %v", err)
		}
		text, code := texts[min(len(*made), len(texts)-1)], http.StatusOK
		*made = append(*made, call)
		if !strings.HasPrefix(text, "{") {
			name, fields, _ := strings.Cut(text, " ")
			code, text = status, fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s"%s}`, name, fields)
		}
		header := http.Header{"Content-Type": {"application/x-amz-json-1.0"}}
		return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r}, nil
	})
	return over(l), made
}

func over(l line) *dynamotable.Table {
	return dynamotable.New(dynamodb.NewFromConfig(aws.Config{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: l}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "canary-secret", ""),
	}), "items", dynamotable.Options{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Sleep: func(context.Context, time.Duration) error { return nil }})
}

var a = table.Key{Partition: "P", Sort: "a"}

// uses are all that a table can do. :: name → use
func uses(ctx context.Context, t table.Table) map[string]func() error {
	item := table.New(a, 1)
	return map[string]func() error{
		"Get":     func() error { _, err := t.Get(ctx, a); return err },
		"GetMany": func() error { _, err := t.GetMany(ctx, []table.Key{a}); return err },
		"Put":     func() error { _, err := t.Put(ctx, item, table.Condition{}); return err },
		"PutMany": func() error { return t.PutMany(ctx, []table.Item{item}) },
		"Delete":  func() error { return t.Delete(ctx, a, table.VersionIs(1)) },
		"Query":   func() error { _, err := t.Query(ctx, "P", table.Range{}, 0, "", false); return err },
		"Write":   func() error { return t.Write(ctx, []table.Op{{Verb: table.Put, Item: item}}) },
	}
}

// The texts are those of DynamoDB (developer guide, Error handling; API
// reference, Common errors).
func TestEachAnswerOfDynamoDBHasItsKindAndTheWayOut(t *testing.T) {
	tests := []struct {
		code, message string
		status        int
		kind          fault.Kind
		says          string
	}{
		{"ProvisionedThroughputExceededException", "The level of configured provisioned throughput for the table was exceeded.", 400, fault.Throttled, "tried again"},
		{"ThrottlingException", "Throughput exceeds the current capacity of your table or index.", 400, fault.Throttled, "tried again"},
		{"RequestLimitExceeded", "Throughput exceeds the current throughput limit for your account.", 400, fault.Throttled, "tried again"},
		{"InternalServerError", "The server encountered an internal error trying to fulfill the request.", 500, fault.Transient, "tried again"},
		{"ServiceUnavailable", "The service is currently unavailable or busy.", 503, fault.Transient, "tried again"},
		{"TransactionConflictException", "Transaction is ongoing for the item", 400, fault.Transient, "tried again"},
		{"TransactionInProgressException", "The transaction with the given request token is already in progress.", 400, fault.Transient, "tried again"},
		{"ExpiredTokenException", "The security token included in the request is expired", 400, fault.Transient, "expired"},
		{"UnrecognizedClientException", "The security token included in the request is invalid.", 400, fault.Transient, "credentials"},
		{"InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z", 400, fault.Transient, "clock"},
		{"MissingAuthenticationTokenException", "Request must contain a valid (registered) AWS Access Key ID.", 400, fault.Transient, "credentials"},
		{"AccessDeniedException", "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: dynamodb:PutItem", 400, fault.Invalid, "permission"},
		{"AccessDeniedException", "KMS key access denied: arn:aws:kms:us-east-1:1:key/x", 400, fault.Invalid, "KMS key"},
		{"ResourceNotFoundException", "Requested resource not found", 400, fault.Invalid, "Check its name and the region"},
		{"ItemCollectionSizeLimitExceededException", "Collection size exceeded.", 400, fault.Invalid, "too large"},
		{"ValidationException", "Item size to update has exceeded the maximum allowed size", 400, fault.Invalid, "400 KB"},
		{"ValidationException", "One or more parameter values were invalid", 400, fault.Internal, "on our side"},
	}
	for _, tt := range tests {
		items, _ := answers(t, tt.status, fmt.Sprintf(`%s ,"message":"canary %s"`, tt.code, tt.message))
		for name, use := range uses(t.Context(), items) {
			t.Run(tt.code+" to "+name, func(t *testing.T) {
				err := use()
				message := fault.MessageOf(err)
				if fault.KindOf(err) != tt.kind || !strings.Contains(message, tt.says) || strings.Contains(message, "canary") {
					t.Errorf("%s: %q, want %s with %q", fault.KindOf(err), message, tt.kind, tt.says)
				}
			})
		}
	}
}

func TestNoAnswerIsTransient(t *testing.T) {
	items := over(func(*http.Request) (*http.Response, error) { return nil, errors.New("dial canary") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, use := range uses(t.Context(), items) {
		if err := use(); !fault.Is(err, fault.Transient) || strings.Contains(fault.MessageOf(err), "canary") {
			t.Errorf("%s without a network: %v, want Transient", name, err)
		}
	}
	for name, use := range uses(ctx, items) {
		if err := use(); !fault.Is(err, fault.Transient) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s when it was stopped: %v, want Transient", name, err)
		}
	}
}

// canceled is the answer to a transaction. Reasons are JSON.
func canceled(reasons ...string) string {
	return fmt.Sprintf(`TransactionCanceledException ,"Message":"Transaction cancelled, please refer cancellation reasons for specific reasons","CancellationReasons":[%s]`, strings.Join(reasons, ","))
}

const (
	none   = `{"Code":"None"}`
	stored = `{"pk":{"S":"P"},"sk":{"S":"b"},"version":{"N":"7"},"doc":{"S":"\"theirs\""},"mark":{"S":"m"}}`
	gone   = `{"pk":{"S":"P"},"sk":{"S":"b"},"version":{"N":"7"},"doc":{"S":"\"theirs\""},"mark":{"S":"m"},"expires":{"N":"1800000000"}}`
)

func TestWhyATransactionWasCanceledDecidesWhatComesNext(t *testing.T) {
	b := table.Key{Partition: "P", Sort: "b"}
	theirs := &table.Item{Key: b, Version: 7, Doc: json.RawMessage(`"theirs"`)}
	failed := func(item string) string {
		return `{"Code":"ConditionalCheckFailed","Message":"The conditional request failed"` + item + `}`
	}
	conflict := `{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"}`
	tests := []struct {
		name    string
		answers []string
		kind    fault.Kind // "" = it worked
		stored  *table.Item
		calls   int
	}{
		{"a condition failed", []string{canceled(none, failed(`,"Item":`+stored))}, fault.Conflict, theirs, 1},
		{"there is no item", []string{canceled(none, failed(""))}, fault.Conflict, nil, 1},
		{"the item has expired", []string{canceled(none, failed(`,"Item":`+gone))}, fault.Conflict, nil, 1},
		{"a condition failed beside a conflict", []string{canceled(conflict, failed(`,"Item":`+stored))}, fault.Conflict, theirs, 1},
		{"another one was at work", []string{canceled(conflict, none), canceled(none, conflict), `{}`}, "", nil, 3},
		{"others are always at work", []string{canceled(conflict, none)}, fault.Transient, nil, 11},
		{"an expired item lies there", []string{canceled(failed(""), none), `{}`}, "", nil, 2},
		{"too much capacity", []string{canceled(none, `{"Code":"ProvisionedThroughputExceeded","Message":"The level of configured provisioned throughput for the table was exceeded."}`)}, fault.Throttled, nil, 1},
		{"throttling", []string{canceled(`{"Code":"ThrottlingError","Message":"Throughput exceeds the current capacity for one or more global secondary indexes."}`, none)}, fault.Throttled, nil, 1},
		{"an item is too large", []string{canceled(`{"Code":"ValidationError","Message":"Item size to update has exceeded the maximum allowed size."}`, none)}, fault.Invalid, nil, 1},
		{"a collection is too large", []string{canceled(none, `{"Code":"ItemCollectionSizeLimitExceeded","Message":"Collection size exceeded."}`)}, fault.Invalid, nil, 1},
		{"something that is our fault", []string{canceled(`{"Code":"ValidationError","Message":"canary"}`, none)}, fault.Internal, nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			items, made := answers(t, 400, tt.answers...)
			err := items.Write(t.Context(), []table.Op{{Verb: table.Put, Item: table.New(a, 1)}, {Verb: table.Put, Item: table.New(b, 1), If: table.VersionIs(6)}})
			if (err == nil) != (tt.kind == "") || err != nil && fault.KindOf(err) != tt.kind {
				t.Errorf("error %v, want %q", err, tt.kind)
			}
			if cause, ok := errors.AsType[*table.FailedError](err); ok {
				if diff := cmp.Diff(&table.FailedError{Key: b, Stored: tt.stored}, cause); diff != "" {
					t.Errorf("conflict (-want +got):\n%s", diff)
				}
			}
			tokens := map[any]bool{}
			for _, call := range *made {
				tokens[call.Body["ClientRequestToken"]] = true
			}
			if len(*made) != tt.calls || len(tokens) != tt.calls {
				t.Errorf("%d calls with %d tokens, want %d", len(*made), len(tokens), tt.calls)
			}
		})
	}
}

// keys returns what a BatchGetItem asks for.
func keys(t *testing.T, call said) (sorts []string) {
	t.Helper()
	var body struct {
		RequestItems map[string]struct {
			ConsistentRead bool                           `json:"ConsistentRead"`
			Keys           []map[string]map[string]string `json:"Keys"`
		} `json:"RequestItems"`
	}
	text, err := json.Marshal(call.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	for _, key := range body.RequestItems["items"].Keys {
		sorts = append(sorts, key["sk"]["S"])
	}
	if !body.RequestItems["items"].ConsistentRead {
		t.Error("the read is not consistent")
	}
	return sorts
}

func TestGetManyAsksAgainForWhatWasLeftOut(t *testing.T) {
	const (
		found = `{"Responses":{"items":[{"pk":{"S":"P"},"sk":{"S":"%s"},"version":{"N":"1"},"doc":{"S":"1"}}]},"UnprocessedKeys":{%s}}`
		left  = `"items":{"ConsistentRead":true,"Keys":[{"pk":{"S":"P"},"sk":{"S":"b"}}]}`
	)
	asked := []table.Key{a, {Partition: "P", Sort: "b"}, a}
	items, made := answers(t, 0, fmt.Sprintf(found, "a", left), fmt.Sprintf(found, "b", ""))
	got, err := items.GetMany(t.Context(), asked)
	if err != nil || len(got) != 2 || len(*made) != 2 {
		t.Fatalf("%d items in %d calls, %v; want 2 in 2", len(got), len(*made), err)
	}
	if diff := cmp.Diff([][]string{{"a", "b"}, {"b"}}, [][]string{keys(t, (*made)[0]), keys(t, (*made)[1])}); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	items, made = answers(t, 0, `{"Responses":{},"UnprocessedKeys":{`+left+`}}`)
	if _, err := items.GetMany(t.Context(), asked[1:2]); !fault.Is(err, fault.Throttled) || len(*made) != 11 {
		t.Errorf("left out again and again: %v after %d calls, want Throttled after 11", err, len(*made))
	}
}
