package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
)

// wants fails the test unless the sentence has all texts.
func wants(t *testing.T, sentence string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(sentence, text) {
			t.Errorf("the sentence lacks %q: %s", text, sentence)
		}
	}
}

func TestOneErrorNamesEverySettingThatIsMissingOrWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{})
	w.env = map[string]string{
		"HOME": t.TempDir(), "HUBSPOT_API_URL": "http://example.com", "GAINSIGHT_LIMIT": "many", "HUBSPOT_LIMIT": "0/1s",
		"REDIRECT_URL": "somewhere", "HUBSPOT_SECRET": "canary", "GAINSIGHT_KEY": "canary",
	}
	sentence := w.fail("sync")
	wants(t, sentence, "HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET", "GAINSIGHT_URL", "GAINSIGHT_ACCESS_KEY", "HUBSPOT_API_URL",
		"GAINSIGHT_LIMIT", "HUBSPOT_LIMIT", "REDIRECT_URL", "HUBSPOT_SECRET is not a setting", "GAINSIGHT_KEY is not a setting")
	if strings.Contains(sentence, "canary") {
		t.Errorf("a value is told: %s", sentence)
	}
	if _, err := os.Stat(w.data); err == nil {
		t.Error("a data folder was made")
	}
}

func TestBadInputEndsInOneSentence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(w *world) // before the command
		args  []string
		wants []string
	}{
		{"no such command", nil, []string{"synchronise"}, []string{`"synchronise"`, "sync"}},
		{"no such flag", nil, []string{"sync", "-fast"}, []string{"-fast"}},
		{"HubSpot's page cannot be reached", func(w *world) {
			w.env["HUBSPOT_APP_URL"] = "http://" + freeAddress(w.t)
		}, []string{"sync"}, []string{"cannot be reached", "HUBSPOT_APP_URL"}},
		{"HubSpot's API cannot be reached", func(w *world) {
			w.env["HUBSPOT_API_URL"] = "http://" + freeAddress(w.t)
		}, []string{"sync"}, []string{"HubSpot cannot be reached at 127.0.0.1:"}},
		{"Gainsight cannot be reached", func(w *world) {
			w.env["GAINSIGHT_URL"] = "http://" + freeAddress(w.t)
		}, []string{"sync"}, []string{"Gainsight cannot be reached at 127.0.0.1:"}},
		{"Gainsight refuses the key", func(w *world) {
			w.env["GAINSIGHT_ACCESS_KEY"] = "canary-wrong-key"
		}, []string{"sync"}, []string{"Gainsight refused the access key"}},
		{"Gainsight refuses the M2M client", func(w *world) {
			delete(w.env, "GAINSIGHT_ACCESS_KEY")
			w.env["GAINSIGHT_CLIENT_ID"], w.env["GAINSIGHT_CLIENT_SECRET"] = m2mClient, "canary-wrong-secret"
		}, []string{"sync"}, []string{"Gainsight refused the M2M OAuth client"}},
		{"Gainsight refuses the address", func(w *world) {
			w.target.SetSwitches(gainsightsim.Switches{IPDenied: true})
		}, []string{"sync"}, []string{"IP address"}},
		{"HubSpot refuses the client secret", func(w *world) {
			w.env["HUBSPOT_CLIENT_SECRET"] = "canary-wrong-secret"
		}, []string{"sync"}, []string{"HUBSPOT_CLIENT_SECRET"}},
		{"HubSpot does not know the client id", func(w *world) {
			w.env["HUBSPOT_CLIENT_ID"] = "c0ffee00-0000-4000-8000-00000000dead"
		}, []string{"sync"}, []string{"HUBSPOT_CLIENT_ID", "redirect URL"}},
		{"the redirect leads to another machine", func(w *world) {
			w.env["REDIRECT_URL"] = "https://connector.example/oauth/callback"
		}, []string{"sync"}, []string{"REDIRECT_URL", "this machine"}},
		{"the API version is not served", func(w *world) {
			w.env["HUBSPOT_API_VERSION"] = "2020-01"
		}, []string{"sync"}, []string{"version"}},
		{"no such chain", nil, []string{"sync", "-chain", "Nightly"}, []string{`"Nightly"`}},
		{"no such job", nil, []string{"sync", "-job", "Deal Sync"}, []string{`"Deal Sync"`}},
		{"nothing is stored", nil, []string{"find", "1"}, []string{"no data", "-data"}},
		{"the table is no table", func(w *world) {
			w.put("table.db", bytes.Repeat([]byte("no table "), 4096), 0o600)
		}, []string{"sync"}, []string{"damaged", "table.db"}},
		{"the data folder is a file", func(w *world) {
			if err := os.WriteFile(w.data, nil, 0o600); err != nil {
				w.t.Fatal(err)
			}
		}, []string{"sync"}, []string{"data folder", "-data"}},
		{"others may read the key", func(w *world) {
			w.put("key", []byte(strings.Repeat("ab", 32)), 0o644)
		}, []string{"sync"}, []string{"chmod 600"}},
		{"the key is no key", func(w *world) {
			w.put("key", []byte("no key"), 0o600)
		}, []string{"sync"}, []string{"holds no key"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{Companies: 3})
			if test.spoil != nil {
				test.spoil(w)
			}
			wants(t, w.fail(test.args...), test.wants...)
			w.clean(t)
		})
	}
}

// put writes a file into the data folder.
func (w *world) put(name string, text []byte, mode os.FileMode) {
	w.t.Helper()
	if err := os.MkdirAll(w.data, 0o700); err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.data, name)
	if err := os.WriteFile(file, text, mode); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		w.t.Fatal(err)
	}
}

func TestFailedFirstUseGoesOnWhenItsCauseIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	good := w.env["GAINSIGHT_ACCESS_KEY"]
	w.env["GAINSIGHT_ACCESS_KEY"] = "canary-wrong-key"
	w.fail("sync")
	w.env["GAINSIGHT_ACCESS_KEY"] = good
	w.succeed("sync")
	w.right(false)
}

func TestSecondConnectionIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	w.succeed("sync")
	w.env["CONNECTION_NAME"] = "Another account"
	wants(t, w.fail("sync"), "connection")
	delete(w.env, "CONNECTION_NAME")
	w.succeed("sync")
}

func TestUninstalledAppIsAuthorizedAgainByTheSameCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	w.succeed("sync")
	w.portal.Uninstall()
	r := w.run("sync")
	if r.code != 1 || !strings.Contains(r.stdout+r.stderr, "uthoriz") {
		t.Fatalf("a sync whose app was uninstalled ended with %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if out := w.succeed("sync"); !strings.Contains(out, "Connected to") {
		t.Errorf("the next sync does not authorize:\n%s", out)
	}
	w.right(false)
}

// TestSecondProcessIsRefused starts the second process while the first waits for
// an answer of Gainsight.
func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	w.succeed("sync")
	waits, goOn := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	w.on(func() {
		if calls.Add(1) == 1 {
			close(waits)
			<-goOn
		}
	})
	first, _, firstErr := w.command(t.Context(), "sync")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-waits
	wants(t, w.fail("sync"), "in use by another process")
	wants(t, w.fail("find", "1"), "in use by another process")
	close(goOn)
	if err := first.Wait(); err != nil {
		t.Errorf("the first process: %v, %s", err, firstErr)
	}
}

// TestInterruptedSyncGoesOn interrupts at a call in each phase.
func TestInterruptedSyncGoesOn(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no signal to send")
	}
	for name, at := range map[string]int64{"authorizing": 3, "planning": 12, "companies": 22, "people": 60} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hubspotsim.Options{Latency: time.Millisecond}, small)
			cmd, stdout, stderr := w.command(t.Context(), "sync")
			w.strike(cmd, at, func(p *os.Process) { _ = p.Signal(os.Interrupt) })
			if code := cmd.ProcessState.ExitCode(); code != 1 {
				t.Fatalf("interrupted, it ended with %d\n%s%s", code, stdout, stderr)
			}
			if got := stderr.String(); !strings.HasPrefix(got, "Stopped. Nothing is lost: ") || strings.Count(got, "\n") != 1 {
				t.Errorf("interrupted, it says: %s", got)
			}
			out := w.succeed("sync")
			if at > 12 && !strings.Contains(out, "This continues a run that had been cut off.") {
				t.Errorf("the second command does not say that it continues:\n%s", out)
			}
			w.right(false)
			w.clean(t)
		})
	}
}

func TestFullDiskIsToldAndLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, hubspotsim.DemoOptions{Companies: 400, Contacts: 800})
	sizes := fullDisk(t, w)
	for _, limit := range sizes {
		r := limit(false)
		said := r.stdout + r.stderr
		if r.code == 0 {
			t.Logf("there was room enough")
			continue
		}
		if r.code != 1 || !strings.Contains(said, "full") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("on a full disk it ended with %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
		}
		if strings.Contains(said, "goroutine") || strings.Contains(said, "Something went wrong") {
			t.Errorf("on a full disk it says:\n%s", said)
		}
	}
	if r := sizes[0](true); r.code != 0 {
		t.Fatalf("with room again it ended with %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	w.right(false)
}

// fullDisk returns functions that sync with ever more room for the data folder,
// or with enough. The data folder is a small file system if this process may
// mount one; else the size of each file is limited.
func fullDisk(t *testing.T, w *world) []func(enough bool) result {
	t.Helper()
	mount, err := exec.LookPath("mount")
	if runtime.GOOS != "linux" || os.Geteuid() != 0 || err != nil {
		return limitedFiles(t, w)
	}
	if err := os.MkdirAll(w.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", w.data).CombinedOutput(); err != nil {
		t.Logf("mount: %v, %s", err, out)
		return limitedFiles(t, w)
	}
	t.Cleanup(func() { _ = syscall.Unmount(w.data, 0) })
	var all []func(bool) result
	for _, size := range []string{"64k", "128k", "256k", "400k", "600k", "1m"} {
		all = append(all, func(enough bool) result {
			if enough {
				size = "64m"
			}
			if out, err := exec.Command(mount, "-o", "remount,size="+size, w.data).CombinedOutput(); err != nil {
				t.Fatalf("remount: %v, %s", err, out)
			}
			return w.run("sync")
		})
	}
	return all
}

// limitedFiles limits the size of each file that the command writes.
func limitedFiles(t *testing.T, w *world) []func(enough bool) result {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("neither a file system can be mounted nor a limit be set")
	}
	var all []func(bool) result
	for _, blocks := range []string{"32", "128", "512", "1024"} { // of 512 or 1024 bytes
		all = append(all, func(enough bool) result {
			if enough {
				return w.run("sync")
			}
			cmd, stdout, stderr := w.command(t.Context(), "sync")
			cmd.Args = append([]string{"sh", "-c", "ulimit -f " + blocks + ` && exec "$0" "$@"`}, cmd.Args...)
			cmd.Path = shell
			_ = cmd.Run()
			return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
		})
	}
	return all
}
