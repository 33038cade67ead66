package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hubspotconnector/internal/api"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/secret"
	"hubspotconnector/internal/serve"
	"hubspotconnector/internal/setting"
)

// tokenName is the environment variable that holds the token of a deployment.
const tokenName = "HUBSPOT_GAINSIGHT_TOKEN" //nolint:gosec // its name

// remote is the API of a deployment.
type remote struct {
	base   string // address without a slash at its end
	token  secret.Text
	client *http.Client
}

// remoteFlag adds the flag -api, and returns what reads it once the flags are
// parsed: nil if it is not given.
func remoteFlag(set flagSet) func() (*remote, error) {
	address := set.String("api", "", "address of a deployment: do it there, not here; its token is in the environment's "+tokenName)
	return func() (*remote, error) {
		if *address == "" {
			return nil, nil //nolint:nilnil // no deployment is meant
		}
		u, err := url.Parse(*address)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || !setting.SafeScheme(u) {
			return nil, fault.New(fault.Invalid, "-api needs the https address of the console, such as https://sync.example.com.")
		}
		token, _ := serve.Lookup(tokenName)
		if token == "" {
			return nil, fault.New(fault.Invalid, "Put a token into the environment's %s: one of the deployment's issuer, or for a console on this machine what stands in the file token of its data folder.", tokenName)
		}
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(*address, "/"), api.Prefix), "/") + api.Prefix
		return &remote{base: base, token: secret.Text(token), client: &http.Client{
			Timeout:       time.Minute,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for one address
		}}, nil
	}
}

// tries is how often a call is sent if nobody answers, or a quota is spent.
const tries = 4

// call sends one call, whose body becomes JSON unless it is bytes, and returns the
// answer. A key makes one that is sent twice start once.
func (r *remote) call(ctx context.Context, method, path, key string, body any) ([]byte, error) {
	kind, text := "application/yaml", []byte(nil)
	switch b := body.(type) {
	case nil:
	case []byte:
		text = b
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			return nil, fmt.Errorf("encode body of %s: %w", path, err)
		}
		kind = "application/json"
	}
	again := method == http.MethodGet || key != ""
	for n := 1; ; n++ {
		answer, wait, err := r.once(ctx, method, path, key, kind, text)
		if err == nil || !again || n == tries || !fault.Is(err, fault.Transient) && !fault.Is(err, fault.Throttled) {
			return answer, err
		}
		if err := pause(ctx, cmp.Or(wait, time.Duration(n)*time.Second)); err != nil {
			return nil, err
		}
	}
}

func (r *remote) once(ctx context.Context, method, path, key, kind string, text []byte) (answer []byte, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(text))
	if err != nil {
		return nil, 0, fmt.Errorf("ask for %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+string(r.token))
	if len(text) > 0 {
		req.Header.Set("Content-Type", kind)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := r.client.Do(req)
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.Transient, "The deployment at %s does not answer. Check the address and the network.", req.URL.Host)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.Transient, "The answer of %s broke off. Give the same command again.", req.URL.Host)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return answer, 0, nil
	}
	wait, _ = time.ParseDuration(resp.Header.Get("Retry-After") + "s") // 0 if it does not say
	return nil, min(wait, time.Minute), refused(resp, answer)
}

// refused is what an answer that is no success says.
func refused(resp *http.Response, answer []byte) error {
	kinds := map[int]fault.Kind{
		http.StatusNotFound: fault.NotFound, http.StatusConflict: fault.Conflict, http.StatusFailedDependency: fault.Reauthorize,
		http.StatusTooManyRequests: fault.Throttled, http.StatusServiceUnavailable: fault.Transient, http.StatusBadGateway: fault.Transient, http.StatusGatewayTimeout: fault.Transient,
	}
	kind := cmp.Or(kinds[resp.StatusCode], fault.Invalid)
	var p api.Problem
	if json.Unmarshal(answer, &p) != nil || p.Detail == "" {
		return fault.New(kind, "%s does not answer like a deployment of the connector (HTTP %d). Check the address in -api.", resp.Request.URL.Host, resp.StatusCode)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return fault.New(fault.Invalid, "The deployment does not accept the token in %s. Get a new one from its issuer; on this machine serve makes one at each start.", tokenName)
	}
	text := p.Detail
	for _, e := range p.Errors {
		if e.Message == p.Detail {
			continue
		}
		at := strings.TrimPrefix(e.Path, "body.")
		if e.Line > 0 {
			at = strings.TrimSuffix(fmt.Sprintf("line %d, %s", e.Line, at), ", ")
		}
		text += "\n  " + at + ": " + e.Message
	}
	return fault.New(kind, "%s", text)
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask sends a call and reads its answer.
func ask[T any](ctx context.Context, r *remote, method, path, key string, body any) (T, error) {
	var v T
	answer, err := r.call(ctx, method, path, key, body)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(answer, &v); err != nil {
		return v, fault.Wrap(err, fault.Invalid, "The deployment answers in another form than this version knows. Use the version that is deployed.")
	}
	return v, nil
}

// sync runs a chain or job of the deployment and waits for its end.
func (r *remote) sync(ctx context.Context, in run.Input, out io.Writer) ([]summary, error) {
	path, name, err := r.meant(ctx, in)
	if err != nil {
		return nil, err
	}
	body := api.StartInput{Mode: string(in.Mode)}
	if !in.Since.IsZero() {
		body.Since = &in.Since
	}
	started, err := ask[api.Started](ctx, r, http.MethodPost, path+"/run", rand.Text(), body)
	if err != nil {
		return nil, err
	}
	say(out, "%s\n", name)
	turns, err := r.wait(ctx, started.Execution, out)
	if err != nil {
		return nil, err
	}
	all := make([]summary, len(turns.Runs))
	for i, p := range turns.Runs {
		if all[i], err = r.summary(ctx, p); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "%s", cmp.Or(turns.Reason, "The run could not be planned. Look at the page Activity of the deployment."))
	}
	show(out, all)
	return all, nil
}

// meant returns the path and the name of the chain or job that is meant.
func (r *remote) meant(ctx context.Context, in run.Input) (path, name string, err error) {
	path, what, wanted := "/chains", "chain", in.Chain
	if in.Job != "" {
		path, what, wanted = "/jobs", "job", in.Job
	}
	var names []string
	for cursor, more := "", true; more; more = cursor != "" {
		p, err := ask[api.List[struct{ ID, Name string }]](ctx, r, http.MethodGet, path+"?limit=200&cursor="+url.QueryEscape(cursor), "", nil)
		if err != nil {
			return "", "", err
		}
		for _, one := range p.Items {
			if strings.EqualFold(one.Name, strings.TrimSpace(wanted)) || one.ID == wanted {
				return path + "/" + url.PathEscape(one.ID), one.Name, nil
			}
			names = append(names, one.Name)
		}
		cursor = p.Next
	}
	return "", "", fault.New(fault.NotFound, "The deployment has no %s %q. It has: %s.", what, wanted, cmp.Or(strings.Join(names, ", "), "none"))
}

// pollEvery is how often it is asked how a run goes.
const pollEvery = 2 * time.Second

// wait waits for the end of an execution and tells how it goes.
func (r *remote) wait(ctx context.Context, execution string, out io.Writer) (api.Turns, error) {
	told := ""
	for {
		t, err := ask[api.Turns](ctx, r, http.MethodGet, "/executions/"+url.PathEscape(execution), "", nil)
		if ctx.Err() != nil {
			return t, fault.New(fault.Invalid, "Stopped waiting. The run goes on in the deployment: the page Activity shows it, and stops it.")
		}
		if err != nil || !t.Running {
			return t, err
		}
		for _, p := range t.Runs {
			line := fmt.Sprintf("  %s: %s extracted, %s settled", p.JobName, number(p.Counts.Extracted), number(p.Counts.Settled()))
			if p.Status == run.Running && line != told {
				say(out, "%s\n", line)
				told = line
			}
		}
		_ = pause(ctx, pollEvery) // its end is told above
	}
}

// summary is what is told of a run.
func (r *remote) summary(ctx context.Context, p api.Progress) (summary, error) {
	d, err := ask[api.RunDetail](ctx, r, http.MethodGet, "/runs/"+url.PathEscape(p.Run), "", nil)
	if err != nil {
		return summary{}, err
	}
	s := summary{
		Job: p.JobName, Chain: p.Chain, Status: p.Status, Mode: p.Mode, Reason: p.Reason, Rejects: map[record.Code]int{},
		Extracted: p.Counts.Extracted, Filtered: p.Counts.Filtered, Inserted: p.Counts.Inserted, Updated: p.Counts.Updated, Unchanged: p.Counts.Unchanged, Rejected: p.Counts.Rejected,
		HubSpotCalls: d.Calls[connector.HubSpot], GainsightCalls: d.Calls[connector.Gainsight],
	}
	if p.Ended != nil {
		s.Seconds = p.Ended.Sub(p.Started).Round(time.Millisecond).Seconds()
	}
	for _, g := range d.Rejects {
		s.Rejects[g.Code] = g.Count
	}
	if p.ErrorFile {
		s.ErrorFile = r.base + "/runs/" + url.PathEscape(p.Run) + "/error-file/content"
	}
	return s, nil
}

func (r *remote) close() { r.client.CloseIdleConnections() }

func (r *remote) export(ctx context.Context) ([]byte, error) {
	return r.call(ctx, http.MethodGet, "/configuration", "", nil)
}

func (r *remote) apply(ctx context.Context, file []byte) ([]api.Change, error) {
	all, err := ask[api.Changes](ctx, r, http.MethodPost, "/configuration/apply", "", file)
	return all.Changes, err
}

func (r *remote) find(ctx context.Context, what string, out io.Writer) error {
	all, err := ask[api.List[api.Found]](ctx, r, http.MethodPost, "/find", "", api.FindInput{Query: what})
	if err != nil {
		return err
	}
	for _, f := range all.Items {
		say(out, "%s: %s", f.JobName, f.Outcome)
		if f.When != nil {
			say(out, " on %s", f.When.Local().Format(time.RFC1123))
		}
		say(out, ", run %s\n", f.Run)
		if f.GSID != "" {
			say(out, "  Gainsight row: %s\n", f.GSID)
		}
		if f.Reason != "" {
			say(out, "  %s: %s\n  %s\n", f.Code, f.Reason, f.Fix)
		}
	}
	if len(all.Items) == 0 {
		say(out, unknownRecord, what)
	}
	return nil
}
