package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"hubspotconnector/internal/awshttp"
	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/lease"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/table/bolttable"
	"hubspotconnector/internal/table/dynamotable"
	"hubspotconnector/internal/token"
)

// onEachTable runs a test in a bubble, on a table of its own.
func onEachTable(t *testing.T, run func(t *testing.T, items table.Table)) {
	t.Helper()
	t.Run("bbolt", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "table")
		synctest.Test(t, func(t *testing.T) {
			items, err := bolttable.Open(path, bolttable.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = items.Close() }()
			run(t, items)
		})
	})
	t.Run("DynamoDB", func(t *testing.T) {
		cfg := awstest.Config(t, awstest.Start(t))
		synctest.Test(t, func(t *testing.T) { run(t, remote(t, cfg)) })
	})
}

// remote makes a table in an engine. Its connections end with each call: one that
// waits for the next call would hold up the bubble's clock.
func remote(t *testing.T, cfg aws.Config) table.Table {
	t.Helper()
	cfg.HTTPClient = &http.Client{Transport: awshttp.Transport{Base: &http.Transport{DisableKeepAlives: true, MaxConnsPerHost: 32}}}
	client, name := dynamodb.NewFromConfig(cfg), "items"
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dynamotable.New(client, name, dynamotable.Options{})
}

const users = 100

// crowd is users who want a token at once, in some processes, and get the first
// new one.
func (w *world) crowd(t *testing.T, brokers []*token.Broker) *sync.WaitGroup {
	all := &sync.WaitGroup{}
	for i := range users {
		all.Go(func() {
			got, err := brokers[i%len(brokers)].Token(t.Context(), "c1")
			if err != nil || got.Access != access(1) {
				t.Errorf("user %d: %s, %v; want the new token", i, got.Access.Expose(), err)
			}
		})
	}
	return all
}

func (w *world) processes(n int) []*token.Broker {
	brokers := make([]*token.Broker, n)
	for i := range brokers {
		brokers[i] = w.broker()
	}
	return brokers
}

func TestAHundredUsersMakeOneRefresh(t *testing.T) {
	for _, processes := range []int{1, 20, 100} {
		t.Run(fmt.Sprintf("in %d processes", processes), func(t *testing.T) {
			onEachTable(t, func(t *testing.T, items table.Table) {
				w := on(t, items)
				w.put(-time.Minute)
				w.crowd(t, w.processes(processes)).Wait()
				if len(w.refreshes) != 1 {
					t.Errorf("%d refreshes, want 1", len(w.refreshes))
				}
			})
		})
	}
}

// mortal is the table as a process sees it until it is killed.
type mortal struct {
	table.Table
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if m.dead.Load() {
		return table.Item{}, errDead
	}
	return m.Table.Get(ctx, key)
}

func (m *mortal) Put(ctx context.Context, item table.Item, cond table.Condition) (table.Item, error) {
	if m.dead.Load() {
		return table.Item{}, errDead
	}
	return m.Table.Put(ctx, item, cond)
}

func (m *mortal) Write(ctx context.Context, ops []table.Op) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Table.Write(ctx, ops)
}

func TestAKilledRefresherIsReplacedWithinFifteenSeconds(t *testing.T) {
	for _, lived := range []time.Duration{0, 3900 * time.Millisecond, 4100 * time.Millisecond, 30 * time.Second} {
		t.Run(fmt.Sprintf("killed after %s", lived), func(t *testing.T) {
			onEachTable(t, func(t *testing.T, items table.Table) {
				w := on(t, items)
				w.put(-time.Minute)
				body := &mortal{Table: items}
				began, buried := make(chan struct{}), make(chan struct{})
				doomed := &token.Broker{
					Store: &token.Store{Table: body, Sealer: sealer{t}}, Leases: &lease.Store{Table: body},
					Refresh: func(ctx context.Context, _ token.Token) (token.Token, error) {
						close(began)
						<-buried
						return token.Token{}, errDead
					},
				}
				var grave sync.WaitGroup
				grave.Go(func() { _, _ = doomed.Token(t.Context(), "c1") })
				<-began
				var killed, replaced time.Time
				w.answer = func(int) error { replaced = time.Now().Add(-time.Second); return nil } // a refresh takes a second
				waiting := w.crowd(t, w.processes(10))
				time.Sleep(lived)
				body.dead.Store(true)
				killed = time.Now()
				waiting.Wait()
				close(buried)
				grave.Wait()
				if len(w.refreshes) != 1 { // beside that of the dead
					t.Errorf("%d refreshes after the dead one's, want 1", len(w.refreshes))
				}
				if took := replaced.Sub(killed); took < 0 || took > 15*time.Second {
					t.Errorf("the second refresh began %s after the first one's process died, want at most 15s", took)
				}
			})
		})
	}
}

func TestASlowRefresherIsNotReplaced(t *testing.T) {
	onEachTable(t, func(t *testing.T, items table.Table) {
		w := on(t, items)
		w.slow = time.Minute
		w.put(-time.Minute)
		w.crowd(t, w.processes(5)).Wait()
		if len(w.refreshes) != 1 {
			t.Errorf("%d refreshes, want 1", len(w.refreshes))
		}
	})
}
