package dynamotable_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"hubspotconnector/internal/awshttp"
	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/dynamotable"
)

// Where a call can be lost.
const (
	request = "request" // it does not arrive
	answer  = "answer"  // it arrives, and the caller does not learn of it
)

// lossy returns the engine's table over a line on which the first call is lost,
// and the calls that were made. The client tries a call so often.
func lossy(cfg aws.Config, tries int, lost string) (items *dynamotable.Table, made *int) {
	made = new(int)
	cfg.HTTPClient = &http.Client{Transport: line(func(r *http.Request) (*http.Response, error) {
		*made++
		if lost == request && *made == 1 {
			return nil, errors.New("connection reset")
		}
		resp, err := awshttp.Transport{}.RoundTrip(r)
		if err == nil && lost == answer && *made == 1 {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return nil, errors.New("connection reset")
		}
		return resp, err
	})}
	cfg.RetryMaxAttempts = tries
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = tries
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	return dynamotable.New(dynamodb.NewFromConfig(cfg), "items", dynamotable.Options{}), made
}

// changes are writes of the items a, at version 1, and b, which is not there.
// :: name → change and the documents afterwards, by sort key
var changes = map[string]struct {
	do   func(ctx context.Context, t table.Table, p string) error
	want map[string]string
	once bool // it is never repeated by itself
}{
	"put what is absent": {do: func(ctx context.Context, t table.Table, p string) error {
		_, err := t.Put(ctx, at(p, "b", `"new"`), table.Absent())
		return err
	}, want: map[string]string{"a": `"old"`, "b": `"new"`}},
	"put over a version": {do: func(ctx context.Context, t table.Table, p string) error {
		item, err := t.Put(ctx, at(p, "a", `"new"`), table.VersionIs(1))
		if err == nil && item.Version != 2 {
			err = fmt.Errorf("version %d, want 2", item.Version)
		}
		return err
	}, want: map[string]string{"a": `"new"`}},
	"put": {do: func(ctx context.Context, t table.Table, p string) error {
		_, err := t.Put(ctx, at(p, "b", `"new"`), table.Condition{})
		return err
	}, want: map[string]string{"a": `"old"`, "b": `"new"`}},
	"put many": {do: func(ctx context.Context, t table.Table, p string) error {
		return t.PutMany(ctx, []table.Item{at(p, "b", `"new"`)})
	}, want: map[string]string{"a": `"old"`, "b": `"new"`}},
	"write": {do: func(ctx context.Context, t table.Table, p string) error {
		return t.Write(ctx, []table.Op{
			{Verb: table.Put, Item: at(p, "a", `"new"`), If: table.VersionIs(1)}, {Verb: table.Put, Item: at(p, "b", `"new"`), If: table.Absent()},
		})
	}, want: map[string]string{"a": `"new"`, "b": `"new"`}},
	"delete": {do: func(ctx context.Context, t table.Table, p string) error {
		return t.Delete(ctx, at(p, "a", "").Key, table.Condition{})
	}, want: map[string]string{}},
	"delete a version": {do: func(ctx context.Context, t table.Table, p string) error {
		return t.Delete(ctx, at(p, "a", "").Key, table.VersionIs(1))
	}, want: map[string]string{}, once: true},
}

func at(partition, sort, doc string) table.Item {
	return table.Item{Key: table.Key{Partition: partition, Sort: sort}, Doc: json.RawMessage(doc)}
}

// documents returns what is stored. :: sort key → document
func documents(t *testing.T, items table.Table, partition string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := table.All(t.Context(), items, partition, table.Range{}, func(item table.Item) error { got[item.Sort] = string(item.Doc); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestALostCallIsMadeGoodByAnotherTry(t *testing.T) {
	cfg := awstest.Config(t, awstest.Start(t))
	create(t, dynamodb.NewFromConfig(cfg), "items")
	whole := dynamotable.New(dynamodb.NewFromConfig(cfg), "items", dynamotable.Options{})
	for name, change := range changes {
		for _, lost := range []string{request, answer} {
			for _, tries := range []int{3, 1} {
				t.Run(fmt.Sprintf("%s, %s lost, %d tries", name, lost, tries), func(t *testing.T) {
					p := fmt.Sprintf("%s#%s#%d", name, lost, tries)
					if _, err := whole.Put(t.Context(), at(p, "a", `"old"`), table.Absent()); err != nil {
						t.Fatal(err)
					}
					items, made := lossy(cfg, tries, lost)
					err := change.do(t.Context(), items, p)
					if tries > 1 && !change.once {
						if err != nil || *made != 2 {
							t.Errorf("%v after %d calls, want success after 2", err, *made)
						}
						if b, err := whole.Get(t.Context(), at(p, "b", "").Key); err == nil && b.Version != 1 {
							t.Errorf("a new item has version %d, as if it had been put twice", b.Version)
						}
					} else {
						if !fault.Is(err, fault.Transient) || *made != 1 {
							t.Errorf("%v after %d calls, want Transient after 1", err, *made)
						}
						if err := change.do(t.Context(), whole, p); err != nil && (lost == request || !fault.Is(err, fault.Conflict)) {
							t.Errorf("again: %v; want at most a Conflict, and that only if the first came through", err)
						}
					}
					if got := documents(t, whole, p); fmt.Sprint(got) != fmt.Sprint(change.want) {
						t.Errorf("stored %v, want %v", got, change.want)
					}
				})
			}
		}
	}
}

func TestEachUseHasItsPriceInCalls(t *testing.T) {
	cfg := awstest.Config(t, awstest.Start(t))
	create(t, dynamodb.NewFromConfig(cfg), "items")
	var operations []string
	counting := cfg.Copy()
	counting.HTTPClient = &http.Client{Transport: line(func(r *http.Request) (*http.Response, error) {
		operations = append(operations, r.Header.Get("X-Amz-Target")[len("DynamoDB_20120810."):])
		return awshttp.Transport{}.RoundTrip(r)
	})}
	items := dynamotable.New(dynamodb.NewFromConfig(counting), "items", dynamotable.Options{})
	many := func(n int) (keys []table.Key) {
		for i := range n {
			keys = append(keys, at("P", fmt.Sprint(i), "").Key)
		}
		return keys
	}
	expired := at("P", "expired", `1`)
	expired.Expires = time.Now().Add(-time.Hour)
	steps := []struct {
		name string
		use  func(ctx context.Context) error
		want []string
	}{
		{"put", func(ctx context.Context) error {
			_, err := items.Put(ctx, at("P", "a", `1`), table.Absent())
			return err
		}, []string{"UpdateItem"}},
		{"a failed condition", func(ctx context.Context) error {
			_, err := items.Put(ctx, at("P", "a", `1`), table.Absent())
			return err
		}, []string{"UpdateItem"}},
		{"an item that has expired", func(ctx context.Context) error { _, err := items.Put(ctx, expired, table.Absent()); return err }, []string{"UpdateItem"}},
		{"put over it", func(ctx context.Context) error {
			_, err := items.Put(ctx, at("P", "expired", `2`), table.Condition{})
			return err
		}, []string{"UpdateItem", "UpdateItem"}},
		{"get", func(ctx context.Context) error { _, err := items.Get(ctx, at("P", "a", "").Key); return err }, []string{"GetItem"}},
		{"get 250", func(ctx context.Context) error { _, err := items.GetMany(ctx, many(250)); return err }, []string{"BatchGetItem", "BatchGetItem", "BatchGetItem"}},
		{"get none", func(ctx context.Context) error { _, err := items.GetMany(ctx, nil); return err }, nil},
		{"query", func(ctx context.Context) error {
			_, err := items.Query(ctx, "P", table.Range{Prefix: "a"}, 0, "", true)
			return err
		}, []string{"Query"}},
		{"a range that is empty", func(ctx context.Context) error {
			_, err := items.Query(ctx, "P", table.Range{From: "b", To: "a"}, 0, "", true)
			return err
		}, nil},
		{"write", func(ctx context.Context) error {
			return items.Write(ctx, []table.Op{{Verb: table.Put, Item: at("P", "b", `1`)}, {Verb: table.Check, Item: at("P", "c", ""), If: table.Absent()}})
		}, []string{"TransactWriteItems"}},
		{"a check of nothing", func(ctx context.Context) error {
			return items.Write(ctx, []table.Op{{Verb: table.Check, Item: at("P", "c", "")}})
		}, nil},
		{"delete", func(ctx context.Context) error { return items.Delete(ctx, at("P", "a", "").Key, table.VersionIs(1)) }, []string{"DeleteItem"}},
		{"what cannot be stored", func(ctx context.Context) error { return items.Delete(ctx, table.Key{}, table.Condition{}) }, nil},
	}
	for _, step := range steps {
		operations = nil
		if err := step.use(t.Context()); err != nil && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", step.name, err)
		}
		if !slices.Equal(operations, step.want) {
			t.Errorf("%s: %v, want %v", step.name, operations, step.want)
		}
	}
}
