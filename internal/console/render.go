package console

import (
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// link is one link of the navigation.
type link struct{ Path, Label string }

// section is a group of links.
type section struct {
	Label string
	Links []link
}

func navigation() []section {
	return []section{
		{"Connectors", []link{{"/connections", "Connections"}, {"/jobs", "Jobs"}, {"/chains", "Job Chains"}, {"/activity", "Activity"}, {"/find", "Find a record"}}},
		{"Administration", []link{{"/avatars", "Users > Avatars"}, {"/person-resolution-key", "People > Person Resolution Key"}, {"/settings", "Settings"}}},
		{"Help", []link{{"/reasons", "Reasons"}}},
	}
}

// navOf is the link to which a page belongs.
func navOf(p string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	if first == "drafts" || first == "preview" {
		first = "jobs"
	}
	return "/" + first
}

// pages are the templates, parsed once a process. :: name of the page → its templates
var pages = sync.OnceValue(parsePages) //nolint:gochecknoglobals // the files are constants

// parsePages parses the templates. Every page consists of the layout, the shared
// parts, and its own file.
func parsePages() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(template.FuncMap{
		"number": number, "counted": counted, "slug": slug, "navigation": navigation, "words": words, "dict": dict, "took": took, "per": per,
		"add": func(a, b int) int { return a + b },
	}).ParseFS(files, "templates/layout.html", "templates/part-*.html"))
	names, err := fs.Glob(files, "templates/page-*.html")
	if err != nil {
		panic(err)
	}
	pages := map[string]*template.Template{}
	for _, file := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "page-"), ".html")
		pages[name] = template.Must(template.Must(shared.Clone()).ParseFS(files, file))
	}
	return pages
}

// dict makes the argument of a part from names and values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments are no pairs", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: argument %d is no name", i)
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
