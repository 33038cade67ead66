// Package dynamotable keeps items in one DynamoDB table, with the keys pk and
// sk, the document as text, and the time to live in expires.
//
// Whoever writes an item leaves a mark of the write in it. A write that was
// sent again, because its answer was lost, finds its own mark and knows that it
// has happened: it counts once, and its condition does not fail because of itself.
package dynamotable

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/clock"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// The attributes of an item.
const (
	attrPartition = "pk"
	attrSort      = "sk"
	attrVersion   = "version"
	attrExpires   = "expires" // seconds since the epoch; the table's time to live
	attrDoc       = "doc"
	attrMark      = "mark" // names the write that wrote it
)

// Conditions on an item, alive if it has not expired. A Put without a condition
// asks for an item that the same Put has not written before.
const (
	ifAlive   = "attribute_not_exists(expires) OR expires > :now"
	ifAbsent  = "attribute_not_exists(pk) OR expires <= :now"
	ifVersion = "version = :if AND (" + ifAlive + ")"
	ifExpired = "expires <= :now"
	ifNotMine = "(" + ifAlive + ") AND (attribute_not_exists(mark) OR mark <> :mark)"
)

// tries is how often a call is made that another one of the same items disturbs,
// or of which DynamoDB did a part.
const tries = 10

// Table is one DynamoDB table. Use New.
type Table struct {
	client calls
	name   string
	o      Options
}

// calls are the operations that are used. The client is not kept: beside
// libraries that look methods up by name, the linker would keep all of its methods.
type calls struct {
	GetItem            func(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem       func(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query              func(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	UpdateItem         func(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem         func(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems func(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Options are the table's clock and patience.
type Options struct {
	Now   func() time.Time                                 // nil = time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil = a timer
}

// New returns the table of a name. Nothing is called. The client's own retries
// may be on.
func New(client *dynamodb.Client, name string, o Options) *Table {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = clock.Sleep
	}
	return &Table{client: calls{client.GetItem, client.BatchGetItem, client.Query, client.UpdateItem, client.DeleteItem, client.TransactWriteItems}, name: name, o: o}
}

// pause waits before the n-th repetition, n ≥ 0: up to 25 ms at first and up to
// a second at last.
func (t *Table) pause(ctx context.Context, n int) error {
	most := min(25*time.Millisecond<<n, time.Second)
	return t.o.Sleep(ctx, time.Duration(rand.Int64N(int64(most)))) //nolint:gosec // jitter
}

func (t *Table) now() types.AttributeValue { return number(t.o.Now().Unix()) }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

type attributes = map[string]types.AttributeValue

func keyOf(key table.Key) attributes {
	return attributes{attrPartition: text(key.Partition), attrSort: text(key.Sort)}
}

// stored decodes an item. It is nil if there is none, or if it has expired.
func (t *Table) stored(a attributes) (*table.Item, error) {
	if len(a) == 0 {
		return nil, nil //nolint:nilnil // no item is no error
	}
	var item table.Item
	item.Partition, item.Sort = textOf(a[attrPartition]), textOf(a[attrSort])
	version, err := numberOf(a[attrVersion])
	if err != nil {
		return nil, damaged(item.Key, err)
	}
	item.Version, item.Doc = version, json.RawMessage(textOf(a[attrDoc]))
	if _, ok := a[attrExpires]; !ok {
		return &item, nil
	}
	expires, err := numberOf(a[attrExpires])
	if err != nil {
		return nil, damaged(item.Key, err)
	}
	if item.Expires = time.Unix(expires, 0).UTC(); expires <= t.o.Now().Unix() {
		return nil, nil //nolint:nilnil // an expired item is none
	}
	return &item, nil
}

func damaged(key table.Key, err error) error {
	return fault.Wrap(err, fault.Internal, "The stored item %s/%s is damaged.", key.Partition, key.Sort)
}

func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func numberOf(v types.AttributeValue) (int64, error) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, errors.New("no number")
	}
	return strconv.ParseInt(n.Value, 10, 64)
}

// wrap gives an error of a call its kind.
func wrap(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch code := api.ErrorCode(); code {
		case "TransactionConflictException", "TransactionInProgressException":
			return fault.Wrap(err, fault.Transient, "Too many wrote the same items in DynamoDB at once. It is tried again.")
		case "ItemCollectionSizeLimitExceededException":
			return fault.Wrap(err, fault.Invalid, "This is too large to be stored.")
		case "ValidationException":
			if isTooLarge(api.ErrorMessage()) {
				return fault.Wrap(err, fault.Invalid, "This is too large to be stored: at most %d KB fit.", table.MaxItemBytes>>10)
			}
		}
	}
	return awsfault.Wrap(err, "DynamoDB", "the table")
}

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := table.CheckKey(key); err != nil {
		return table.Item{}, err
	}
	out, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &t.name, Key: keyOf(key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return table.Item{}, wrap(err)
	}
	item, err := t.stored(out.Item)
	if err != nil {
		return table.Item{}, err
	}
	if item == nil {
		return table.Item{}, fault.New(fault.NotFound, "There is no such item.")
	}
	return *item, nil
}

// maxGet is the keys of one BatchGetItem (DynamoDB API reference, November 2026).
const maxGet = 100

// GetMany implements table.Table. The items may be of different moments.
func (t *Table) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	seen := make(map[table.Key]bool, len(keys))
	var todo []attributes
	for _, key := range keys {
		if err := table.CheckKey(key); err != nil {
			return nil, err
		}
		if !seen[key] {
			seen[key] = true
			todo = append(todo, keyOf(key))
		}
	}
	var found []table.Item
	for n := 0; len(todo) > 0; {
		some := todo[:min(maxGet, len(todo))]
		out, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{t.name: {Keys: some, ConsistentRead: aws.Bool(true)}},
		})
		if err != nil {
			return nil, wrap(err)
		}
		for _, a := range out.Responses[t.name] {
			item, err := t.stored(a)
			if err != nil {
				return nil, err
			}
			if item != nil {
				found = append(found, *item)
			}
		}
		left := out.UnprocessedKeys[t.name].Keys
		todo = append(left, todo[len(some):]...)
		if n = t.again(n, len(left), len(some)); len(left) == 0 {
			continue
		}
		if n > tries {
			return nil, fault.New(fault.Throttled, "DynamoDB takes no more calls for the moment. It is tried again.")
		}
		if err := t.pause(ctx, n); err != nil {
			return nil, wrap(err)
		}
	}
	return found, nil
}

// again counts the calls in turn that came to nothing.
func (*Table) again(n, left, asked int) int {
	if left < asked {
		return 0
	}
	return n + 1
}
