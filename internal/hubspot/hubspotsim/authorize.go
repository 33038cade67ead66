package hubspotsim

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// request is what an authorize URL asks for.
type request struct {
	app      *app
	redirect string
	state    string
	required []string
	optional []string
}

// authorize shows the consent page, or answers it. As at HubSpot, a request
// that does not fit the app shows an error and never redirects.
func (s *Sim) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, problem := s.readRequest(r.URL.Query())
	portals, ok := s.offered(r.PathValue("portal"))
	if problem == "" && !ok {
		problem = "This HubSpot account does not exist."
	}
	switch {
	case problem != "":
		page(http.StatusBadRequest, object{"Problem": problem}).write(w, 0)
	case s.o.AutoApprove && s.o.Deny:
		s.denied(asked).write(w, 0)
	case s.o.AutoApprove:
		s.approved(asked, portals[0], r.URL.Query()).write(w, 0)
	case r.Method == http.MethodPost:
		s.decide(asked, portals, r).write(w, 0)
	default:
		page(http.StatusOK, object{
			"App": asked.app.number, "Portals": choices(portals), "Required": asked.required,
			"Optional": asked.optional, "Action": r.URL.RequestURI(),
		}).write(w, 0)
	}
}

func (s *Sim) readRequest(query url.Values) (request, string) {
	asked := request{
		app: s.apps[query.Get("client_id")], redirect: query.Get("redirect_uri"), state: query.Get("state"),
		required: strings.Fields(query.Get("scope")),
		optional: strings.Fields(query.Get("optional_scope") + " " + query.Get("optional_scopes")),
	}
	switch {
	case asked.app == nil:
		return asked, "The client ID of this app is missing or unknown."
	case !slices.Contains(asked.app.redirects, asked.redirect):
		return asked, "The redirect URL does not match one of the app's redirect URLs."
	case len(asked.required) == 0:
		return asked, "The URL asks for no scope."
	}
	for _, scope := range slices.Concat(asked.required, asked.optional) {
		if len(asked.app.scopes) > 0 && !slices.Contains(asked.app.scopes, scope) {
			return asked, fmt.Sprintf("The scope %s does not agree with the configuration of the app.", scope)
		}
	}
	return asked, ""
}

// offered are the portals to choose from: all, or the one in the path.
func (s *Sim) offered(path string) ([]*Portal, bool) {
	var out []*Portal
	for _, p := range s.portals {
		if !p.closed && (path == "" || path == strconv.FormatInt(p.id, 10)) {
			out = append(out, p)
		}
	}
	return out, len(out) > 0
}

func (s *Sim) decide(asked request, portals []*Portal, r *http.Request) answer {
	_ = r.ParseForm() // an unreadable form chooses nothing
	if r.PostForm.Get("decision") != "approve" {
		return s.denied(asked)
	}
	for _, p := range portals {
		if r.PostForm.Get("account") == strconv.FormatInt(p.id, 10) {
			return s.approved(asked, p, r.URL.Query())
		}
	}
	return page(http.StatusBadRequest, object{"Problem": "Choose an account and try again."})
}

func (s *Sim) approved(asked request, p *Portal, query url.Values) answer {
	granted := slices.Clone(asked.required)
	for _, scope := range asked.required {
		if slices.Contains(p.lacks, scope) {
			return page(http.StatusBadRequest, object{
				"Problem": fmt.Sprintf("The account %s does not have the scope %s, which this app requires.", p.domain, scope),
			})
		}
	}
	for _, scope := range asked.optional {
		if !slices.Contains(p.lacks, scope) && !slices.Contains(granted, scope) {
			granted = append(granted, scope)
		}
	}
	id := s.uuid()
	s.codes[id] = code{
		install:  &install{app: asked.app, portal: p, user: 42, scopes: granted},
		redirect: asked.redirect, until: s.o.Now().Add(codeLife),
		challenge: query.Get("code_challenge"), method: query.Get("code_challenge_method"),
	}
	return redirect(asked, url.Values{"code": {id}})
}

// denied tells the app that the user refused (assumed).
func (s *Sim) denied(asked request) answer {
	return redirect(asked, url.Values{"error": {"access_denied"}, "error_description": {"The user denied access."}})
}

func redirect(asked request, with url.Values) answer {
	to, err := url.Parse(asked.redirect)
	if err != nil {
		return page(http.StatusBadRequest, object{"Problem": "The redirect URL is not a URL."})
	}
	query := to.Query()
	for name, values := range with {
		query[name] = values
	}
	if asked.state != "" {
		query.Set("state", asked.state)
	}
	to.RawQuery = query.Encode()
	return answer{status: http.StatusFound, header: http.Header{"Location": {to.String()}, "Cache-Control": {"no-store"}}}
}

type choice struct {
	ID     int64
	Domain string
	First  bool
}

func choices(portals []*Portal) []choice {
	out := make([]choice, len(portals))
	for i, p := range portals {
		out[i] = choice{ID: p.id, Domain: p.domain, First: i == 0}
	}
	return out
}

func page(status int, data object) answer {
	var out bytes.Buffer
	if err := template.Must(template.New("page").Parse(pageText)).Execute(&out, data); err != nil {
		panic(err) // the template and its data are ours
	}
	return answer{status: status, body: out.Bytes(), header: http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"},
	}}
}

const pageText = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Connect an app · simulated HubSpot</title>
<style>
:root{color-scheme:light dark;--ink:#1f2d3d;--soft:#5b6b7b;--line:#d7dee6;--card:#fff;--back:#f2f5f8;--main:#c2410c}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#9fb0c0;--line:#33414f;--card:#1b242d;--back:#11181f;--main:#fb923c}}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:3rem auto;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:12px}
h1{font-size:1.35rem;margin:0 0 .25rem}p{margin:.25rem 0 1rem;color:var(--soft)}
fieldset{border:0;padding:0;margin:0 0 1.25rem}legend{font-weight:600;padding:0;margin-bottom:.5rem}
label{display:flex;gap:.75rem;align-items:center;padding:.75rem 1rem;border:1px solid var(--line);border-radius:8px;margin-bottom:.5rem;cursor:pointer}
label small{color:var(--soft);margin-left:auto}
details{margin-bottom:1.5rem}summary{cursor:pointer;font-weight:600}li{font:14px/1.7 ui-monospace,monospace}
button{font:inherit;font-weight:600;padding:.65rem 1.4rem;border-radius:8px;border:1px solid var(--line);background:none;color:inherit;cursor:pointer;margin-right:.5rem}
button.main{background:var(--main);border-color:var(--main);color:var(--card)}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}
</style></head><body><main>
{{if .Problem}}<h1>The app cannot be connected</h1><p role="alert">{{.Problem}}</p>
{{else}}<h1>Connect app {{.App}} to HubSpot</h1><p>This is a simulated HubSpot. Nothing leaves this machine.</p>
<form method="post" action="{{.Action}}">
<fieldset><legend>Choose an account</legend>
{{range .Portals}}<label><input type="radio" name="account" value="{{.ID}}"{{if .First}} checked{{end}}>{{.Domain}}<small>{{.ID}}</small></label>
{{end}}</fieldset>
<details open><summary>The app will be able to</summary><ul>{{range .Required}}<li>{{.}}</li>{{end}}{{range .Optional}}<li>{{.}} (optional)</li>{{end}}</ul></details>
<button class="main" name="decision" value="approve">Approve</button><button name="decision" value="deny">Deny</button>
</form>{{end}}
</main></body></html>
`
