package dynamotable

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
)

const defaultPage = 1000

// last is above every character that a sort key can hold but itself.
const last = string(utf8.MaxRune)

// Query implements table.Table. DynamoDB ends a page at 1 MB.
func (t *Table) Query(ctx context.Context, partition string, r table.Range, limit int, cursor string, descending bool) (table.Page, error) {
	if err := table.CheckKey(table.Key{Partition: partition, Sort: "x"}); err != nil {
		return table.Page{}, err
	}
	if len(cursor) > table.MaxSortBytes {
		return table.Page{}, fault.New(fault.Invalid, "This page does not exist. Start with the first one.")
	}
	if limit <= 0 {
		limit = defaultPage
	}
	in := &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(!descending), Limit: aws.Int32(int32(min(limit, 1<<30))),
		KeyConditionExpression: aws.String("pk = :p"), FilterExpression: aws.String(ifAlive),
		ExpressionAttributeValues: attributes{":p": text(partition), ":now": t.now()},
	}
	from, to := bounds(r)
	switch {
	case cursor != "" && descending:
		to = min(to, cursor)
		in.Limit = aws.Int32(*in.Limit + 1) // the item of the cursor itself may be there
	case cursor != "":
		from = max(from, cursor+"\x00")
	}
	if from > to {
		return table.Page{}, nil
	}
	if r != (table.Range{}) || cursor != "" {
		in.KeyConditionExpression = aws.String("pk = :p AND sk BETWEEN :from AND :to")
		in.ExpressionAttributeValues[":from"], in.ExpressionAttributeValues[":to"] = text(from), text(to)
	}
	out, err := t.client.Query(ctx, in)
	if err != nil {
		return table.Page{}, wrap(err)
	}
	page := table.Page{Next: textOf(out.LastEvaluatedKey[attrSort])}
	for _, a := range out.Items {
		item, err := t.stored(a)
		if err != nil {
			return table.Page{}, err
		}
		if item != nil && strings.HasPrefix(item.Sort, r.Prefix) && (r.To == "" || item.Sort < r.To) && (!descending || item.Sort != cursor) {
			page.Items = append(page.Items, *item)
		}
	}
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = page.Items[limit-1].Sort
	}
	return page, nil
}

// bounds returns the first and the last sort key that can be in a range, both
// included: DynamoDB has no "less than" beside another condition.
func bounds(r table.Range) (from, to string) {
	from, to = max(r.Prefix, r.From), last
	if from == "" {
		from = "\x00" // no sort key is empty
	}
	if r.Prefix != "" {
		to = r.Prefix + last
	}
	if r.To != "" {
		to = min(to, r.To)
	}
	return from, to
}
