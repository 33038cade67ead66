package dynamotable

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

// write is one op in DynamoDB's words.
type write struct {
	key    attributes
	update string // "" but for a Put
	cond   string // "" = none
	values attributes
}

// plan says an op in DynamoDB's words. over tells that an unconditional Put is to
// replace an expired item, so that its version starts anew.
func (t *Table) plan(op table.Op, mark string, over bool) write {
	w := write{key: keyOf(op.Item.Key), values: attributes{}}
	absent, version := op.If.Parts()
	set := "version = if_not_exists(version, :zero) + :one"
	switch {
	case absent:
		w.cond, set, w.values[":version"] = ifAbsent, "version = :version", number(1)
	case version != 0:
		w.cond, set, w.values[":version"] = ifVersion, "version = :version", number(version+1)
		w.values[":if"] = number(version)
	case op.Verb == table.Put && over:
		w.cond, set, w.values[":version"] = ifExpired, "version = :version", number(1)
	case op.Verb == table.Put:
		w.cond = ifNotMine
		w.values[":zero"], w.values[":one"] = number(0), number(1)
	}
	if w.cond != "" {
		w.values[":now"] = t.now()
	}
	if op.Verb != table.Put {
		delete(w.values, ":version")
		return w
	}
	w.update = "SET " + set + ", doc = :doc, mark = :mark"
	w.values[":doc"], w.values[":mark"] = text(string(op.Item.Doc)), text(mark)
	if op.Item.Expires.IsZero() {
		w.update += " REMOVE expires"
	} else {
		w.update += ", expires = :expires"
		w.values[":expires"] = number(op.Item.Expires.Unix())
	}
	return w
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (w write) valuesOrNil() attributes {
	if len(w.values) == 0 {
		return nil
	}
	return w.values
}

// Put implements table.Table.
func (t *Table) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	if err := table.CheckItem(item); err != nil {
		return table.Item{}, err
	}
	if !item.Expires.IsZero() {
		item.Expires = time.Unix(item.Expires.Unix(), 0).UTC() // as it is stored
	}
	op, mark, over := table.Op{Verb: table.Put, Item: item, If: cond}, ulid.Make().String(), false
	for n := 0; ; n++ {
		w := t.plan(op, mark, over)
		out, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &t.name, Key: w.key, UpdateExpression: &w.update, ConditionExpression: optional(w.cond), ExpressionAttributeValues: w.values,
			ReturnValues: types.ReturnValueUpdatedNew, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		if err == nil {
			item.Version, err = numberOf(out.Attributes[attrVersion])
			return item, err
		}
		var failed *types.ConditionalCheckFailedException
		switch {
		case errors.As(err, &failed) && textOf(failed.Item[attrMark]) == mark: // the answer to this very write was lost
			item.Version, err = numberOf(failed.Item[attrVersion])
			return item, err
		case errors.As(err, &failed) && cond != (table.Condition{}):
			return table.Item{}, t.conflict(item.Key, failed.Item)
		case errors.As(err, &failed): // an expired item is there, or no longer
			over = !over
		case !isDisturbed(err):
			return table.Item{}, wrap(err)
		}
		if n == tries {
			return table.Item{}, wrap(err)
		}
		if err := t.pause(ctx, n); err != nil {
			return table.Item{}, wrap(err)
		}
	}
}

func (t *Table) conflict(key table.Key, old attributes) error {
	item, err := t.stored(old)
	if err != nil {
		return err
	}
	return table.Conflict(key, item)
}

// isDisturbed reports whether a transaction of someone else was at the same item.
func isDisturbed(err error) bool {
	var conflict *types.TransactionConflictException
	return errors.As(err, &conflict)
}

func isTooLarge(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "item size") && strings.Contains(message, "exceed")
}

// together is how many items of PutMany are written at once.
const together = 16

// PutMany implements table.Table. Each item is a call of its own, because a
// BatchWriteItem cannot count versions; its price is the same.
func (t *Table) PutMany(ctx context.Context, items []table.Item) error {
	if err := table.CheckItems(items); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for _, item := range items {
		group.Go(func() error {
			_, err := t.Put(ctx, item, table.Condition{})
			return err
		})
	}
	return group.Wait()
}

// Delete implements table.Table.
func (t *Table) Delete(ctx context.Context, key table.Key, cond table.Condition) error {
	if err := table.CheckKey(key); err != nil {
		return err
	}
	for n := 0; ; n++ {
		w := t.plan(table.Op{Verb: table.Delete, Item: table.Item{Key: key}, If: cond}, "", false)
		_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &t.name, Key: w.key, ConditionExpression: optional(w.cond), ExpressionAttributeValues: w.valuesOrNil(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, func(o *dynamodb.Options) {
			if w.cond != "" {
				o.Retryer = aws.NopRetryer{} // a repetition could not tell its own deed from another's
			}
		})
		var failed *types.ConditionalCheckFailedException
		switch {
		case err == nil:
			return nil
		case errors.As(err, &failed):
			return t.conflict(key, failed.Item)
		case !isDisturbed(err) || n == tries:
			return wrap(err)
		}
		if err := t.pause(ctx, n); err != nil {
			return wrap(err)
		}
	}
}

// Write implements table.Table. A write that is sent again under the same token
// happens once (for ten minutes: DynamoDB API reference, November 2026).
func (t *Table) Write(ctx context.Context, ops []table.Op) error {
	if err := table.CheckOps(ops); err != nil {
		return err
	}
	over := make([]bool, len(ops))
	for n := 0; ; n++ {
		in, which := t.transaction(ops, over)
		if len(in.TransactItems) == 0 {
			return nil
		}
		_, err := t.client.TransactWriteItems(ctx, in)
		var canceled *types.TransactionCanceledException
		if err == nil {
			return nil
		}
		if !errors.As(err, &canceled) {
			if !isDisturbed(err) || n == tries {
				return wrap(err)
			}
		} else if err := t.canceled(ops, which, canceled, over, n); err != nil {
			return err
		}
		if err := t.pause(ctx, n); err != nil {
			return wrap(err)
		}
	}
}

// transaction says ops in DynamoDB's words. which tells the op of each part:
// a Check without a condition has none.
func (t *Table) transaction(ops []table.Op, over []bool) (in *dynamodb.TransactWriteItemsInput, which []int) {
	token := ulid.Make().String()
	in = &dynamodb.TransactWriteItemsInput{ClientRequestToken: &token}
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	for i, op := range ops {
		w := t.plan(op, token, over[i])
		var part types.TransactWriteItem
		switch {
		case op.Verb == table.Put:
			part.Update = &types.Update{
				TableName: &t.name, Key: w.key, UpdateExpression: &w.update, ConditionExpression: optional(w.cond),
				ExpressionAttributeValues: w.values, ReturnValuesOnConditionCheckFailure: old,
			}
		case op.Verb == table.Delete:
			part.Delete = &types.Delete{
				TableName: &t.name, Key: w.key, ConditionExpression: optional(w.cond), ExpressionAttributeValues: w.valuesOrNil(), ReturnValuesOnConditionCheckFailure: old,
			}
		case w.cond == "":
			continue
		default:
			part.ConditionCheck = &types.ConditionCheck{
				TableName: &t.name, Key: w.key, ConditionExpression: &w.cond, ExpressionAttributeValues: w.values, ReturnValuesOnConditionCheckFailure: old,
			}
		}
		in.TransactItems = append(in.TransactItems, part)
		which = append(which, i)
	}
	return in, which
}

// canceled judges why a transaction did not happen. nil means that it is worth
// another try, in which over says what lies under expired items.
func (t *Table) canceled(ops []table.Op, which []int, e *types.TransactionCanceledException, over []bool, n int) error {
	again := false
	for part, reason := range e.CancellationReasons {
		if part >= len(which) {
			break
		}
		op := ops[which[part]]
		switch aws.ToString(reason.Code) {
		case "", "None":
		case "ConditionalCheckFailed":
			if op.If != (table.Condition{}) {
				return t.conflict(op.Item.Key, reason.Item)
			}
			over[which[part]] = !over[which[part]]
			again = true
		case "TransactionConflict":
			again = true
		case "ProvisionedThroughputExceeded", "ThrottlingError":
			return fault.Wrap(e, fault.Throttled, "DynamoDB takes no more calls for the moment. It is tried again.")
		case "ItemCollectionSizeLimitExceeded":
			return fault.Wrap(e, fault.Invalid, "This is too large to be stored.")
		case "ValidationError":
			if isTooLarge(aws.ToString(reason.Message)) {
				return fault.Wrap(e, fault.Invalid, "This is too large to be stored: at most %d KB fit.", table.MaxItemBytes>>10)
			}
		}
	}
	if again && n < tries {
		return nil
	}
	if again {
		return fault.Wrap(e, fault.Transient, "Too many wrote the same items in DynamoDB at once. It is tried again.")
	}
	return wrap(e)
}
