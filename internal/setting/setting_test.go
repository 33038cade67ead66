package setting_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/budget"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/schedule"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/secret/filesealer"
	"hubspotconnector/internal/setting"
	"hubspotconnector/internal/table/bolttable"
)

type world struct {
	*setting.Store
	t    *testing.T
	file string
	now  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, file: filepath.Join(dir, "t.db"), now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	items, err := bolttable.Open(w.file, bolttable.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = items.Close() })
	sealer, err := filesealer.Open(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	log := &activity.Store{Table: items, NewID: func() string { n++; return fmt.Sprint(n) }}
	w.Store = w.another(items, sealer, log)
	return w
}

func (w *world) another(items *bolttable.Table, sealer secret.Sealer, log *activity.Store) *setting.Store {
	return &setting.Store{Table: items, Sealer: sealer, Activity: log, Now: func() time.Time { return w.now }}
}

// process is the store of another process on the same table.
func (w *world) process() *setting.Store {
	return &setting.Store{Table: w.Table, Sealer: w.Sealer, Activity: w.Activity, Now: w.Now}
}

func (w *world) updates() []activity.Update {
	w.t.Helper()
	list, _, err := w.Activity.Updates(w.t.Context(), time.Now(), 0, "")
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// noSecrets fails if a secret can be read in the table's file, where everything
// is stored that is not sealed.
func (w *world) noSecrets() {
	w.t.Helper()
	text, err := os.ReadFile(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.Contains(string(text), "canary") {
		w.t.Error("a secret is stored in the open")
	}
}

const origin = "https://acme.gainsightcloud.com"

func (w *world) put(d setting.Destination) setting.Tenant {
	w.t.Helper()
	tenant, err := w.PutDestination(w.t.Context(), d, "ann")
	if err != nil {
		w.t.Fatalf("put: %v", fault.MessageOf(err))
	}
	return tenant
}

func TestADestinationIsReadBackByTheClientAlone(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Destination(t.Context(), false); !fault.Is(err, fault.NotFound) {
		t.Errorf("before it is set: %v", err)
	}
	tenant := w.put(setting.Destination{URL: origin + "/", AccessKey: "canary-key"})
	want := setting.Tenant{URL: origin, HasAccessKey: true, Version: 1}
	if d := cmp.Diff(want, tenant); d != "" {
		t.Errorf("tenant (-want +got):\n%s", d)
	}
	got, err := w.Destination(t.Context(), false)
	if err != nil || got.AccessKey.Expose() != "canary-key" || got.URL != origin {
		t.Errorf("destination %v, %v", got, err)
	}
	text, _ := json.Marshal(w.updates())
	if strings.Contains(string(text), "canary") || !strings.Contains(string(text), `"hasAccessKey":true`) {
		t.Errorf("activity: %s", text)
	}
	w.noSecrets()
}

func TestASecretIsNotSentToAHostThatItWasNotEnteredFor(t *testing.T) {
	w := newWorld(t)
	w.put(setting.Destination{URL: origin, ClientID: "app", ClientSecret: "canary"})
	tests := []struct {
		name string
		d    setting.Destination
		want string // secret afterwards; "" = refused
	}{
		{"the same again", setting.Destination{URL: origin, ClientID: "app"}, "canary"},
		{"another host", setting.Destination{URL: "https://evil.example", ClientID: "app"}, ""},
		{"another client", setting.Destination{URL: origin, ClientID: "other"}, ""},
		{"no client", setting.Destination{URL: origin}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now, err := w.Tenant(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.d.Version = now.Version
			_, err = w.PutDestination(t.Context(), tt.d, "ann")
			if tt.want == "" && !fault.Is(err, fault.Invalid) {
				t.Errorf("err = %v, want Invalid", err)
			}
			got, err := w.Destination(t.Context(), true)
			if err != nil || got.URL != origin || got.ClientSecret.Expose() != "canary" {
				t.Errorf("stored: %v, %v", got, err)
			}
		})
	}
}

func TestAWrongDestinationIsRefused(t *testing.T) {
	tests := []struct {
		name string
		d    setting.Destination
		say  string
	}{
		{"no URL", setting.Destination{AccessKey: "canary"}, "origin"},
		{"http", setting.Destination{URL: "http://acme.example", AccessKey: "canary"}, "https"},
		{"a path", setting.Destination{URL: origin + "/v1", AccessKey: "canary"}, "without a path"},
		{"no secret", setting.Destination{URL: origin}, "Enter the access key"},
		{"both", setting.Destination{URL: origin, AccessKey: "canary", ClientID: "a", ClientSecret: "canary"}, "not both"},
		{"a secret without client", setting.Destination{URL: origin, ClientSecret: "canary"}, "client id"},
		{"10,000 characters", setting.Destination{URL: "https://" + strings.Repeat("a", 10_000), AccessKey: "canary"}, "origin"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.PutDestination(t.Context(), tt.d, "ann")
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.MessageOf(err), tt.say) || strings.Contains(err.Error(), "canary") {
				t.Errorf("err = %v", err)
			}
			if n := len(w.updates()); n != 0 {
				t.Errorf("%d activities", n)
			}
		})
	}
}

func TestARotatedSecretIsSeenByOtherProcesses(t *testing.T) {
	w := newWorld(t)
	other := w.process()
	w.put(setting.Destination{URL: origin, AccessKey: "canary-1"})
	key := func(s *setting.Store, afresh bool) string {
		d, err := s.Destination(t.Context(), afresh)
		if err != nil {
			t.Fatal(err)
		}
		return d.AccessKey.Expose()
	}
	if got := key(other, false); got != "canary-1" {
		t.Errorf("first %q", got)
	}
	w.put(setting.Destination{URL: origin, AccessKey: "canary-2", Version: 1})
	if got := key(w.Store, false); got != "canary-2" {
		t.Errorf("the process that stored it has %q", got)
	}
	if got := key(other, true); got != "canary-2" {
		t.Errorf("asked afresh: %q", got)
	}
	w.put(setting.Destination{URL: origin, AccessKey: "canary-3", Version: 2})
	w.now = w.now.Add(10 * time.Second)
	if got := key(other, false); got != "canary-3" {
		t.Errorf("10 s later: %q", got)
	}
}

func TestTwoWhoEditAtOnceDoNotOverwriteEachOther(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	owner := setting.Owner{What: schedule.Job, ID: "j1", Name: "Job"}
	puts := map[string]func() error{
		"destination": func() error {
			_, err := w.PutDestination(ctx, setting.Destination{URL: origin, AccessKey: "canary"}, "ann")
			return err
		},
		"notifications": func() error {
			_, err := w.PutNotifications(ctx, setting.Notifications{Failure: []string{"a@b.example"}}, "ann")
			return err
		},
		"recipients": func() error {
			_, err := w.PutRecipients(ctx, owner, setting.Recipients{Failure: []string{"a@b.example"}}, "ann")
			return err
		},
		"limits": func() error {
			_, err := w.PutLimits(ctx, setting.Limits{HubSpot: budget.Window{Calls: 1, Per: time.Second}}, "ann")
			return err
		},
		"retention": func() error {
			_, err := w.PutRetention(ctx, setting.Retention{ErrorFiles: 1, Staged: 1, Runs: 30}, "ann")
			return err
		},
	}
	for name, put := range puts {
		if err := put(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := put(); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s from an old version: %v, want Conflict", name, err)
		}
	}
	if got := len(w.updates()); got != len(puts) {
		t.Errorf("%d activities, want %d", got, len(puts))
	}
}

func TestNotificationsAreCleanedAndTheirSecretsHidden(t *testing.T) {
	w := newWorld(t)
	n, err := w.PutNotifications(t.Context(), setting.Notifications{
		Failure: []string{" ann@acme.example ", "", "ANN@acme.example", "bo@acme.example"}, Threshold: 0.25,
		WebhookURL: "https://hooks.example/services/canary", Secret: "canary-sign",
	}, "ann")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ann@acme.example", "bo@acme.example"}
	if d := cmp.Diff(want, n.Failure); d != "" || n.WebhookHost != "hooks.example" {
		t.Errorf("stored %+v", n)
	}
	text, _ := json.Marshal([]any{n, w.updates()})
	if strings.Contains(string(text), "canary") {
		t.Errorf("shown: %s", text)
	}
	w.noSecrets()

	n.WebhookURL, n.Secret, n.Threshold = "", "", 0.5 // as a page sends it back
	if _, err := w.PutNotifications(t.Context(), n, "ann"); err != nil {
		t.Fatal(err)
	}
	got, err := w.process().Notifications(t.Context())
	if err != nil || got.WebhookURL.Expose() != "https://hooks.example/services/canary" || got.Secret.Expose() != "canary-sign" || got.Threshold != 0.5 {
		t.Errorf("after another edit: %+v, %v", got, err)
	}
	got.WebhookHost, got.WebhookURL = "", ""
	if got, err = w.PutNotifications(t.Context(), got, "ann"); err != nil || got.Secret != "" || got.WebhookHost != "" {
		t.Errorf("removed: %+v, %v", got, err)
	}
}

func TestWrongNotificationsAreRefusedWithEveryProblem(t *testing.T) {
	w := newWorld(t)
	_, err := w.PutNotifications(t.Context(), setting.Notifications{
		Success: []string{"ann"}, Partial: []string{"a@b.example, c@d.example"}, Failure: []string{"x@y.example\r\nBcc: z@y.example", "Ann <ann@b.example>"},
		Threshold: math.NaN(), WebhookURL: "http://hooks.example/canary",
	}, "ann")
	message := fault.MessageOf(err)
	for _, want := range []string{`"ann"`, `"a@b.example, c@d.example"`, "Bcc", `Ann <ann`, "threshold", "https URL"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q does not tell of %s", message, want)
		}
	}
	for _, n := range []setting.Notifications{
		{WebhookURL: "https://hooks.example/x"}, {WebhookHost: "hooks.example"}, {WebhookHost: "hooks.example", Secret: "canary"},
	} {
		if _, err := w.PutNotifications(t.Context(), n, "ann"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v, want Invalid", n, err)
		}
	}
}

func TestRecipientsOfAJobCanBeDroppedAgain(t *testing.T) {
	w := newWorld(t)
	o := setting.Owner{What: schedule.Job, ID: "j1", Name: "Job"}
	if _, err := w.PutRecipients(t.Context(), o, setting.Recipients{Success: []string{"a@b.example"}}, "ann"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is once
		if err := w.DropRecipients(t.Context(), o, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Recipients(t.Context(), o); !fault.Is(err, fault.NotFound) {
		t.Errorf("err = %v", err)
	}
	if n := len(w.updates()); n != 2 {
		t.Errorf("%d activities, want 2", n)
	}
}

func TestLimitsAndRetentionHaveBounds(t *testing.T) {
	w := newWorld(t)
	share := func(f float64) *float64 { return &f }
	for _, l := range []setting.Limits{
		{HubSpot: budget.Window{Calls: 5}},
		{HubSpotSearch: budget.Window{Per: time.Second}},
		{Gainsight: budget.Window{Calls: -1, Per: time.Minute}},
		{GainsightDay: budget.Window{Calls: 1, Per: 365 * 24 * time.Hour}},
		{Reserve: share(0.6)},
		{Reserve: share(math.NaN())},
		{Gainsight: budget.Window{Calls: 1, Per: time.Minute}, GainsightDay: budget.Window{Calls: 1, Per: time.Minute}},
	} {
		if _, err := w.PutLimits(t.Context(), l, "ann"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v, want Invalid", l, err)
		}
	}
	l, err := w.PutLimits(t.Context(), setting.Limits{Gainsight: budget.Window{Calls: 50, Per: time.Minute}}, "ann")
	if err != nil || !l.Gainsight.Fixed {
		t.Errorf("Gainsight counts by the clock: %+v, %v", l, err)
	}
	if r, err := w.Retention(t.Context()); err != nil || r != setting.DefaultRetention {
		t.Errorf("default %+v, %v", r, err)
	}
	for _, r := range []setting.Retention{{}, {ErrorFiles: 1, Staged: 15, Runs: 30}, {ErrorFiles: 1, Staged: 1, Runs: 29}, {ErrorFiles: 366, Staged: 1, Runs: 30}} {
		if _, err := w.PutRetention(t.Context(), r, "ann"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v, want Invalid", r, err)
		}
	}
}

func TestAllProcessesShareOneSessionKey(t *testing.T) {
	w := newWorld(t)
	keys := make([]string, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			k, err := w.process().SessionKey(t.Context())
			if err != nil {
				t.Error(err)
			}
			keys[i] = k.Expose()
		})
	}
	all.Wait()
	if len(keys[0]) < 32 {
		t.Errorf("a key of %d characters", len(keys[0]))
	}
	for _, k := range keys {
		if k != keys[0] {
			t.Error("two keys")
		}
	}
	text, err := os.ReadFile(w.file)
	if err != nil || strings.Contains(string(text), keys[0]) {
		t.Errorf("the key is stored in the open, %v", err)
	}
}
