package api

import (
	"context"

	"hubspotconnector/internal/config"
	"hubspotconnector/internal/signin"
)

// maxFile bounds a configuration file.
const maxFile = 8 << 20

// yamlType is the media type of configuration files.
const yamlType = "application/yaml"

// Changes are what a file changes.
type Changes struct {
	Changes []Change `json:"changes" nullable:"false" doc:"None: all is as the file says."`
}

// Change is one thing that a file changes.
type Change struct {
	What  string   `json:"what" doc:"setting, job, chain or schedule"`
	Name  string   `json:"name"`
	Type  string   `json:"type" doc:"created, edited or deleted"`
	Lines []string `json:"lines" nullable:"false" doc:"What changes."`
}

// file is a body that is a configuration file.
type file struct {
	RawBody []byte `contentType:"application/yaml"`
}

// fileAnswer is an answer that is one.
type fileAnswer struct {
	Type string `header:"Content-Type"`
	Body []byte
}

func (a *api) configuration() {
	const of = "Configuration"
	register(a, operation{
		id: "exportConfiguration", method: "GET", path: "/configuration", tag: of, summary: "Write jobs, job chains, schedules and the person resolution key as a file", answer: yamlType,
		description: "The file names no ids and no account: it fits another deployment.",
	}, func(ctx context.Context, _ *struct{}) (*fileAnswer, error) {
		text, err := a.Config.Export(ctx)
		return &fileAnswer{yamlType, text}, err
	})
	register(a, operation{
		id: "diffConfiguration", method: "POST", path: "/configuration/diff", tag: of, summary: "Tell what applying a file would change", vendor: true, body: maxFile, role: signin.Admin,
		description: "Nothing is stored.",
	}, func(ctx context.Context, in *file) (*answer[Changes], error) {
		return changes(a.Config.Diff(ctx, in.RawBody))
	})
	register(a, operation{
		id: "applyConfiguration", method: "POST", path: "/configuration/apply", tag: of, summary: "Make what is stored as a file says", vendor: true, conflict: true, body: maxFile, role: signin.Admin,
		description: "After checking all of it against both vendors; what the file does not name stays. 409 means that somebody changed something meanwhile: apply again.",
	}, func(ctx context.Context, in *file) (*answer[Changes], error) {
		return changes(a.Config.Apply(ctx, in.RawBody, by(ctx)))
	})
}

func changes(all []config.Change, err error) (*answer[Changes], error) {
	out := Changes{make([]Change, len(all))}
	for i, c := range all {
		out.Changes[i] = Change{c.What, c.Name, c.Type, append([]string{}, c.Lines...)}
	}
	return &answer[Changes]{out}, err
}
