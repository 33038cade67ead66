package api

import (
	"context"
	"hash/fnv"
	"strings"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/person"
	"hubspotconnector/internal/signin"
)

// Key is the person resolution key.
type Key struct {
	Fields []string `json:"fields" nullable:"false" maxItems:"100" doc:"Fields of Person; several mean or."`
}

// KeyEffect is what another key does to a job.
type KeyEffect struct {
	Job      string   `json:"job" doc:"Its id."`
	JobName  string   `json:"jobName"`
	Ticked   []string `json:"ticked" nullable:"false" doc:"Fields that become identifiers."`
	Unticked []string `json:"unticked" nullable:"false" doc:"Fields that stop being identifiers."`
	Unmapped []string `json:"unmapped" nullable:"false" doc:"Fields of the key that the job does not map: while there are any the key cannot be changed."`
	Records  int      `json:"records" doc:"Stored records of the job."`
	More     bool     `json:"more" doc:"Whether there are more than were counted."`
}

func keyEffectOf(e admin.KeyEffect) KeyEffect {
	return KeyEffect{
		Job: e.Before.ID, JobName: e.Before.Name, Ticked: append([]string{}, e.Ticked...), Unticked: append([]string{}, e.Unticked...),
		Unmapped: append([]string{}, e.Unmapped...), Records: e.Records, More: e.More,
	}
}

// keyVersion tells one key from another.
func keyVersion(fields []string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.Join(fields, "\n"))) // it never fails
	return int64(h.Sum64() >> 1)
}

type effectsInput struct {
	Fields []string `query:"fields,explode" maxItems:"100" required:"true" doc:"The key as it would be."`
}

func (a *api) people() {
	const of = "Users and people"
	register(a, operation{id: "getPersonResolutionKey", method: "GET", path: "/person-resolution-key", tag: of, summary: "Read the person resolution key"},
		func(ctx context.Context, _ *struct{}) (*versioned[Key], error) { return keyAnswer(a.People.Keys(ctx)) })
	register(a, operation{
		id: "listKeyEffects", method: "GET", path: "/person-resolution-key/effects", tag: of, summary: "Tell what another person resolution key would change",
	}, func(ctx context.Context, in *effectsInput) (*answer[List[KeyEffect]], error) {
		effects, err := a.admin.KeyEffects(ctx, in.Fields)
		return list(effects, "", keyEffectOf), inBody(err, "query.fields")
	})
	register(a, operation{
		id: "putPersonResolutionKey", method: "PUT", path: "/person-resolution-key", tag: of, summary: "Change the person resolution key", role: signin.Admin,
		description: "The people jobs change with it.",
	}, func(ctx context.Context, in *struct {
		Edit
		Body Key
	},
	) (*versioned[Key], error) {
		was, err := a.People.Keys(ctx)
		if err != nil {
			return nil, err
		}
		if err := in.from(keyVersion(was)); err != nil {
			return nil, err
		}
		if err := person.Check(in.Body.Fields); err != nil {
			return nil, inBody(err, "body.fields")
		}
		if _, err = a.People.Save(ctx, in.Body.Fields, by(ctx)); err != nil {
			return nil, inBody(err, "body.fields")
		}
		return keyAnswer(a.People.Keys(ctx))
	})
}

func keyAnswer(fields []string, err error) (*versioned[Key], error) {
	return &versioned[Key]{tag(keyVersion(fields)), Key{append([]string{}, fields...)}}, err
}
