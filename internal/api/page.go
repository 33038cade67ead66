package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

// section is the operations of one tag.
type section struct {
	Name       string
	Operations []entry
}

// entry is an operation as the page shows it.
type entry struct {
	ID, Method, Path, Summary, Description string
	Params                                 []param
	Takes, Gives                           body
	Answers                                []response
}

type param struct {
	Name, In, Text string
	Required       bool
}

type response struct{ Status, Text string }

// body is what a body is: a schema, or another media type.
type body struct{ Schema, Type string }

// schemaText is a schema as the page shows it.
type schemaText struct{ Name, JSON string }

// readable is the page of a document. It needs no script.
func readable(doc *huma.OpenAPI) []byte {
	sections := make([]section, len(doc.Tags))
	for i, t := range doc.Tags {
		sections[i].Name = t.Name
	}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op == nil {
				continue
			}
			i := slices.IndexFunc(sections, func(s section) bool { return s.Name == op.Tags[0] })
			sections[i].Operations = append(sections[i].Operations, entryOf(path, op))
		}
	}
	var schemas []schemaText
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas.Map())) {
		text, err := json.MarshalIndent(doc.Components.Schemas.Map()[name], "", "  ")
		if err != nil {
			panic("schema " + name + ": " + err.Error()) // a bug that every test meets
		}
		schemas = append(schemas, schemaText{name, string(text)})
	}
	var b bytes.Buffer
	err := template.Must(template.New("page").Parse(pageText)).Execute(&b, map[string]any{
		"Title": doc.Info.Title, "Intro": paragraphs(doc.Info.Description), "Prefix": Prefix, "Sections": sections, "Schemas": schemas,
	})
	if err != nil {
		panic("page of the API: " + err.Error()) // likewise
	}
	return b.Bytes()
}

func entryOf(path string, op *huma.Operation) entry {
	e := entry{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		e.Params = append(e.Params, param{Name: p.Name, In: p.In, Text: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		e.Takes = bodyOf(op.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		e.Answers = append(e.Answers, response{status, r.Description})
		if strings.HasPrefix(status, "2") {
			e.Gives = bodyOf(r.Content)
		}
	}
	return e
}

func bodyOf(content map[string]*huma.MediaType) body {
	var b body
	for kind, media := range content { // there is one
		if b.Type = kind; media.Schema != nil {
			b.Schema = strings.TrimPrefix(media.Schema.Ref, schemaPrefix)
		}
	}
	return b
}

// paragraphs are the lines of a text without its marks.
func paragraphs(text string) []string {
	var all []string
	for line := range strings.SplitSeq(strings.NewReplacer("**", "", "`", "").Replace(text), "\n") {
		if line = strings.TrimPrefix(line, "- "); line != "" {
			all = append(all, line)
		}
	}
	return all
}

func (a *api) showPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(a.page) // a browser that has gone needs no answer
}

func showStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = fmt.Fprint(w, pageStyle) // likewise
}
