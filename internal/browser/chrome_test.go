package browser_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hubspotconnector/internal/awstest"
)

// patience is how long a page may take to show something on a busy machine.
const patience = 20 * time.Second

//go:embed testdata/find.js
var finder string

// process is the browser that all tests share. It is started by the first one
// that needs it.
var process struct {
	once sync.Once
	ctx  context.Context
	err  error
	end  func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if process.end != nil {
		process.end()
	}
	os.Exit(code)
}

// chromium returns the shared browser. Without one the test is skipped; in CI it
// fails.
func chromium(t testing.TB) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil && path == "" {
			path = p
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("There is no Chromium: run make browser.")
		}
		t.Skip("There is no Chromium, so the console is not tested in a browser: run make browser.")
	}
	process.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
			chromedp.WindowSize(1280, 900), chromedp.Flag("lang", "en-US"), chromedp.Env("TZ=Europe/Berlin"))
		allocator, endAll := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, end := chromedp.NewContext(allocator)
		process.ctx, process.end = ctx, func() { end(); endAll() }
		process.err = chromedp.Do(ctx)
	})
	if process.err != nil {
		t.Fatalf("Chromium does not start: %v", process.err)
	}
	return process.ctx
}

// tab is a tab of a browser in which one person is signed in.
type tab struct {
	t   testing.TB
	w   *world
	ctx context.Context

	mu       sync.Mutex
	wrong    []string // what the browser complained of
	expected []string // parts of complaints that belong to the test
}

// visit opens a browser of its own with an empty tab. At the end of the test the
// browser must have complained of nothing.
func (w *world) visit() *tab {
	w.t.Helper()
	ctx, end := chromedp.NewContext(chromium(w.t), chromedp.WithNewBrowserContext())
	w.t.Cleanup(end)
	return w.tab(ctx)
}

// another opens a second tab for the same person.
func (b *tab) another() *tab {
	b.t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	b.t.Cleanup(end)
	return b.w.tab(ctx)
}

func (w *world) tab(ctx context.Context) *tab {
	w.t.Helper()
	b := &tab{t: w.t, w: w, ctx: ctx}
	w.check(chromedp.Do(ctx))
	w.check(chromedp.Listen(ctx, b.hear))
	_, err := chromedp.Call(ctx, audits.Enable, struct{}{})
	w.check(err)
	w.t.Cleanup(b.calm)
	return b
}

// hear keeps what the browser complains of.
func (b *tab) hear(event any) {
	var said string
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			said = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		said = "exception: " + e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			said += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		said = "console: " + string(e.Type)
		for _, arg := range e.Args {
			said += " " + string(arg.Value)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details; d != nil && d.ContentSecurityPolicyIssueDetails != nil {
			said = fmt.Sprintf("content security policy: %s %s", d.ContentSecurityPolicyIssueDetails.ViolatedDirective, d.ContentSecurityPolicyIssueDetails.BlockedURL)
		}
	}
	if said != "" {
		b.mu.Lock()
		b.wrong = append(b.wrong, said)
		b.mu.Unlock()
	}
}

// expect names a part of complaints that belong to the test, such as the status
// of a page that refuses.
func (b *tab) expect(part string) { b.expected = append(b.expected, part) }

// calm fails the test if the browser complained of anything.
func (b *tab) calm() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, said := range b.wrong {
		if !slices.ContainsFunc(b.expected, func(part string) bool { return strings.Contains(said, part) }) {
			b.t.Errorf("the browser complains: %s", said)
		}
	}
	b.wrong = nil
}

// js runs an expression; tools are what find.js offers.
func js[T any](b *tab, expression string) (T, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[T]("((tools) => "+expression+")("+finder+")", chromedp.EvalAwaitPromise))
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // a string can always be
	return string(text)
}

// until polls a condition, which returns why it does not hold yet.
func (b *tab) until(what string, holds func() string) {
	b.t.Helper()
	why := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(15 * time.Millisecond) {
		if why = holds(); why == "" {
			return
		}
	}
	text, _ := js[string](b, "tools.text()")
	at, _ := chromedp.Run(b.ctx, chromedp.Location())
	b.picture("failed")
	b.t.Fatalf("%s: %s\nat %s, which says: %s", what, why, at, text)
}

// goTo opens a page by its address.
func (b *tab) goTo(path string) *tab {
	b.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = b.w.origin + path
	}
	b.w.check(chromedp.Do(b.ctx, chromedp.Navigate(path)))
	return b
}

// signIn opens the link and the first page.
func (b *tab) signIn() *tab { return b.goTo(b.w.link) }

// click clicks what is shown: the link, button or label of a text, or a selector.
func (b *tab) click(what string) *tab {
	b.t.Helper()
	return b.clickWhen(what, false)
}

// clickAtOnce clicks without waiting for what the server makes of a choice.
func (b *tab) clickAtOnce(what string) *tab {
	b.t.Helper()
	return b.clickWhen(what, true)
}

func (b *tab) clickWhen(what string, atOnce bool) *tab {
	b.t.Helper()
	b.until("click "+what, func() string {
		at, err := js[struct {
			X, Y float64
			Why  string
		}](b, fmt.Sprintf("tools.point(%s, %t)", quoted(what), atOnce))
		if err != nil {
			return err.Error()
		}
		if at.Why != "" {
			return at.Why
		}
		if err := chromedp.Do(b.ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
			return err.Error()
		}
		return ""
	})
	return b
}

// press clicks and waits for the page, or the part of it, that answers.
func (b *tab) press(what string) *tab {
	b.t.Helper()
	return b.turn(what, func() { b.click(what) })
}

// turn does something and waits until the page shows another content.
func (b *tab) turn(what string, do func()) *tab {
	b.t.Helper()
	_, err := js[any](b, "tools.mark()")
	b.w.check(err)
	do()
	b.until("after "+what, func() string {
		fresh, err := js[bool](b, "tools.fresh()")
		if err != nil {
			return err.Error()
		}
		if !fresh {
			return "the page stays as it was"
		}
		return ""
	})
	return b
}

// choose takes an option of a list, by its text.
func (b *tab) choose(what, option string) *tab {
	b.t.Helper()
	b.until("choose "+option+" in "+what, func() string {
		why, err := js[string](b, "tools.select("+quoted(what)+","+quoted(option)+")")
		if err != nil {
			return err.Error()
		}
		return why
	})
	return b
}

// fill clicks a field and types over what it holds.
func (b *tab) fill(what, text string) *tab {
	b.t.Helper()
	b.click(what)
	b.w.check(chromedp.Do(b.ctx, chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl))))
	_, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text})
	b.w.check(err)
	return b
}

// keys presses keys, which go to what has the focus.
func (b *tab) keys(keys string, modifiers ...chromedp.Modifier) *tab {
	b.t.Helper()
	b.w.check(chromedp.Do(b.ctx, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))))
	return b
}

// see waits until the page says the texts.
func (b *tab) see(texts ...string) *tab {
	b.t.Helper()
	for _, text := range texts {
		b.until("see "+text, func() string {
			said, err := js[string](b, "tools.text()")
			if err != nil {
				return err.Error()
			}
			if !strings.Contains(said, text) {
				return "it does not say so"
			}
			return ""
		})
	}
	return b
}

// await waits until something is shown.
func (b *tab) await(what string) *tab {
	b.t.Helper()
	b.until("await "+what, func() string {
		at, err := js[struct{ Why string }](b, "tools.point("+quoted(what)+")")
		if err != nil {
			return err.Error()
		}
		return at.Why
	})
	return b
}

// text is what the page says now.
func (b *tab) text() string {
	b.t.Helper()
	said, err := js[string](b, "tools.text()")
	b.w.check(err)
	return said
}

// value is what a field holds.
func (b *tab) value(what string) string {
	b.t.Helper()
	v, err := js[string](b, "tools.value("+quoted(what)+")")
	b.w.check(err)
	return v
}

// path is the path of the page.
func (b *tab) path() string {
	b.t.Helper()
	p, err := js[string](b, "location.pathname")
	b.w.check(err)
	return p
}

// downloads makes files that are downloaded go to the folder that it returns.
func (b *tab) downloads() string {
	b.t.Helper()
	dir := b.t.TempDir()
	_, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID, DownloadPath: dir,
	})
	b.w.check(err)
	return dir
}

// look sets the theme, light or dark, and the width of the screen. Colours change
// at once.
func (b *tab) look(theme string, width int64) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	b.w.check(err)
	b.w.check(chromedp.Do(b.ctx, chromedp.EmulateViewport(width, 900)))
}

// picture keeps what the page looks like in .screenshots.
func (b *tab) picture(name string) {
	b.t.Helper()
	height, err := js[int64](b, "document.documentElement.scrollHeight")
	width, _ := js[int64](b, "innerWidth")
	if err == nil { // what sticks to the edge of the screen is not in the way then
		_ = chromedp.Do(b.ctx, chromedp.EmulateViewport(width, max(height, 900)))
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Logf("no picture: %v", err)
		return
	}
	dir := filepath.Join(awstest.Root(b.t), ".screenshots", strings.ReplaceAll(b.t.Name(), "/", "-"))
	b.w.check(os.MkdirAll(dir, 0o750))
	b.w.check(os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// tabTo presses Tab until the control has the focus, as people without a mouse do.
func (b *tab) tabTo(what string) *tab {
	b.t.Helper()
	for range 400 {
		b.keys(kb.Tab)
		on, err := js[bool](b, "document.activeElement?.matches("+quoted(what)+") ?? false")
		b.w.check(err)
		if on {
			return b
		}
	}
	b.t.Fatalf("Tab never leads to %s", what)
	return b
}

// arrowTo presses the arrow key until the list that has the focus shows an
// option. It does not wait for what follows from a choice.
func (b *tab) arrowTo(option string) *tab {
	b.t.Helper()
	b.keys(kb.Home)
	for range 200 {
		at, err := js[string](b, `document.activeElement?.selectedOptions?.[0]?.text.trim() ?? "no list"`)
		b.w.check(err)
		if at == option {
			return b
		}
		b.keys(kb.ArrowDown)
	}
	b.t.Fatalf("no arrow leads to %s", option)
	return b
}
