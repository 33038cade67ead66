package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
	"hubspotconnector/internal/ootb"
	"hubspotconnector/internal/run"
)

const syncExplains = `sync runs a chain or a job between real accounts, or other endpoints that the
settings name. The first time it authorizes: it opens HubSpot's page and waits
until HubSpot leads back to REDIRECT_URL on this machine. Settings are flags or
environment variables. With -api it runs what a deployment has, there.
`

func sync(ctx context.Context, args []string, out io.Writer) error {
	set := flags("sync", syncExplains, out)
	var in run.Input
	set.StringVar(&in.Chain, "chain", "", "run this chain (default "+ootb.ChainName+")")
	set.StringVar(&in.Job, "job", "", "run this job instead of a chain")
	mode := set.String("mode", string(run.ModeChanges), "changes (since the last run) or full (all records)")
	since := set.String("since", "", "records changed since this moment, such as 2026-01-31T08:00:00Z")
	dir := set.String("data", dataDir(), "data folder")
	file := set.String("summary", "", "write a JSON summary to this file")
	there := remoteFlag(set)
	read := settings(set)
	if _, err := set.parse(args, 0); err != nil {
		return err
	}
	if err := choose(&in, *mode, *since); err != nil {
		return err
	}
	if r, err := there(); err != nil {
		return err
	} else if r != nil {
		all, err := r.sync(ctx, in, out)
		return told(all, *file, err)
	}
	s, back, err := localSettings(read)
	if err != nil {
		return err
	}
	sys, closeAll, err := open(*dir, s, vendors{})
	if err != nil {
		return err
	}
	defer closeAll()
	if err := authorized(ctx, sys, s, back, out); err != nil {
		return err
	}
	if err := sys.Gainsight.Test(ctx); err != nil {
		return err
	}
	all, err := execute(ctx, sys, in, out, time.Now)
	return told(all, *file, err)
}

// told ends a command whose runs ended.
func told(all []summary, file string, err error) error {
	if err != nil {
		return err
	}
	if err := write(file, all); err != nil {
		return err
	}
	return outcome(all)
}

// choose checks what is to be run.
func choose(in *run.Input, mode, since string) error {
	in.Mode, in.Cause = run.Mode(mode), "manual execution"
	switch {
	case in.Chain != "" && in.Job != "":
		return fault.New(fault.Invalid, "Give -chain or -job, not both.")
	case in.Chain == "" && in.Job == "":
		in.Chain = ootb.ChainName
	}
	if in.Mode != run.ModeChanges && in.Mode != run.ModeFull {
		return fault.New(fault.Invalid, "The mode %q is not known: use changes or full.", mode)
	}
	if since == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, since)
	if err != nil || !at.After(time.Unix(0, 0)) || at.After(time.Now()) {
		return fault.New(fault.Invalid, "-since needs a moment in the past, such as 2026-01-31T08:00:00Z.")
	}
	if in.Mode == run.ModeFull {
		return fault.New(fault.Invalid, "Give -since or -mode full, not both: full reads all records.")
	}
	in.Since = at.UTC()
	return nil
}

// execute runs it with progress on the screen, and shows what came of it.
func execute(ctx context.Context, sys *inprocess.System, in run.Input, out io.Writer, now func() time.Time) ([]summary, error) {
	what := in.Chain
	if what == "" {
		what = in.Job
	}
	p := newProgress(sys, out, now)
	res, err := sys.Run(ctx, in, func(execution string) {
		say(out, "%s\n", what)
		p.start(ctx, execution)
	})
	p.stop()
	if err != nil {
		return nil, err
	}
	if res.Continued {
		say(out, "This continues a run that had been cut off.\n")
	}
	all, err := summarize(ctx, sys, res)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 && res.Round.Reason != "" {
		return nil, fault.New(fault.Invalid, "%s", res.Round.Reason)
	}
	show(out, all)
	return all, nil
}

// authorized makes sure that there is a connection that can be used.
func authorized(ctx context.Context, sys *inprocess.System, s connector.Settings, back *url.URL, out io.Writer) error {
	c, err := connected(ctx, sys, s.ConnectionName)
	if err != nil {
		return err
	}
	if c.Status == connection.Active {
		return sys.Ready.Ready(ctx, c.ID) // again, if it was cut off
	}
	c, err = authorize(ctx, sys, c.ID, back, out)
	if err != nil {
		return err
	}
	say(out, "Connected to %s.\n\n", account(c))
	return nil
}

// authorize listens where HubSpot leads back to, opens its page, and waits.
func authorize(ctx context.Context, sys *inprocess.System, id string, back *url.URL, out io.Writer) (connection.Connection, error) {
	var none connection.Connection
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", loopback(back))
	if err != nil {
		return none, fault.Wrap(err, fault.Invalid, "This machine cannot listen on %s, where REDIRECT_URL leads. End the program that uses the port, or choose another REDIRECT_URL and register it in the HubSpot app.", loopback(back))
	}
	answers := make(chan answer, 1)
	server := &http.Server{Handler: callback(sys, back, answers), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends by Shutdown
	defer func() { _ = server.Shutdown(context.WithoutCancel(ctx)) }()
	page, err := sys.Flow.Begin(ctx, id, operator)
	if err != nil {
		return none, err
	}
	if err := visit(ctx, page, back, out); err != nil {
		return none, err
	}
	select {
	case a := <-answers:
		return a.connection, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-time.After(10 * time.Minute): // as long as a state is good
		return none, fault.New(fault.Invalid, "Nobody authorized the connection within 10 minutes. Give the same command again.")
	}
}

// answer is how HubSpot led back.
type answer struct {
	connection connection.Connection
	err        error
}

// callback is the page that HubSpot leads back to. answers gets the first answer.
func callback(sys *inprocess.System, back *url.URL, answers chan<- answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != cmp.Or(back.Path, "/") {
			http.NotFound(w, r)
			return
		}
		q := r.URL.Query()
		c, err := sys.Flow.Callback(r.Context(), q.Get("code"), q.Get("state"), q.Get("error"))
		text := "Connected. You can close this page."
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			text = fault.MessageOf(err)
		}
		_, _ = io.WriteString(w, text) //nolint:gosec // plain text; and a browser that has gone needs no answer
		select {
		case answers <- answer{c, err}:
		default: // the page was loaded again
		}
	})
}

// loopback is the address to listen on for a redirect to this machine.
func loopback(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return net.JoinHostPort(ip.String(), port)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// visitHops is how many pages of HubSpot's may follow one another by redirects.
const visitHops = 5

// visit asks for HubSpot's page. If that leads back by itself, as in automated
// set-ups, it follows; else a person has to go there.
func visit(ctx context.Context, page string, back *url.URL, out io.Writer) error {
	for next, hop := page, 0; next != "" && hop < visitHops; hop++ {
		status, to, err := get(ctx, next)
		if err != nil {
			return err
		}
		if status == http.StatusBadRequest || status == http.StatusNotFound {
			return fault.New(fault.Invalid, "HubSpot's authorize page refuses this app (HTTP %d). Check HUBSPOT_CLIENT_ID and HUBSPOT_APP_URL, and that %s is a redirect URL of the app.", status, back)
		}
		if to != nil && to.Scheme == back.Scheme && to.Host == back.Host && to.Path == back.Path {
			_, _, err := get(ctx, to.String())
			return err
		}
		next = ""
		if to != nil {
			next = to.String()
		}
	}
	say(out, "Authorize the connection in your browser:\n  %s\n", page)
	openBrowser(ctx, page)
	return nil
}

// get asks for a page and returns where it leads to; nil = it is a page for people.
func get(ctx context.Context, page string) (status int, to *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("ask for a page: %w", err)
	}
	client := &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if ctx.Err() != nil {
		err = ctx.Err()
	} else if err != nil {
		// The error holds the address, with the state of the authorization.
		err = fault.New(fault.Transient, "%s cannot be reached to authorize the connection. Check the network, and HUBSPOT_APP_URL.", req.URL.Host)
	}
	if resp != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return 0, nil, err
	}
	if to, err = resp.Location(); err != nil {
		return resp.StatusCode, nil, nil //nolint:nilerr // it leads nowhere
	}
	return resp.StatusCode, to, nil
}

// openBrowser tries; the address is on the screen in any case.
func openBrowser(ctx context.Context, page string) {
	opener := map[string]string{"darwin": "open", "linux": "xdg-open", "windows": "explorer"}[runtime.GOOS]
	if program, err := exec.LookPath(opener); err == nil {
		_ = exec.CommandContext(ctx, program, page).Start() //nolint:gosec // an address of our own
	}
}
