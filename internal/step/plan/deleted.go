package plan

import (
	"encoding/json"
	"fmt"
	"slices"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/staging"
)

// whenDeleted checks what is to become of rows whose record is gone. It returns
// the value of the field that is to say so, if there is one.
func whenDeleted(f staging.Plan) (json.RawMessage, *mapping.Problem) {
	do, m := f.Job.Options.WhenDeleted, f.Job.Mapping
	problem := func(path, format string, args ...any) (json.RawMessage, *mapping.Problem) {
		return nil, &mapping.Problem{Path: "options.whenDeleted." + path, Message: fmt.Sprintf(format, args...)}
	}
	object, _ := catalog.Find(m.Source)
	if do.Do != job.DoNothing && object.ModifiedProperty == "" {
		return problem("do", "Owners are archived, not deleted: let the job deactivate the users of archived owners instead.")
	}
	switch do.Do {
	case job.DoNothing:
		return nil, nil
	case job.DoDelete:
		if slices.Contains([]string{"company_person", "person", "gsuser"}, m.Target) {
			return problem("do", "Rows of %s cannot be deleted: set a field instead, or do nothing.", f.Target.Label)
		}
		return nil, nil
	case job.DoSet:
	default:
		return problem("do", "%q is nothing that can be done when a record is deleted: use set, delete, or nothing.", do.Do)
	}
	to, ok := f.Target.Field(do.Field)
	mapped := func(d mapping.Direct) bool { return d.To == do.Field }
	derived := func(d mapping.Derived) bool { return d.To == do.Field }
	switch {
	case !ok || to.Archived:
		return problem("field", "There is no field %q in Gainsight that could say that a record is deleted: create it there, or choose another field.", do.Field)
	case to.ReadOnly:
		return problem("field", "%q is filled by Gainsight itself and cannot say that a record is deleted: choose another field.", to.Label)
	case slices.ContainsFunc(m.Direct, mapped), slices.ContainsFunc(m.Derived, derived):
		return problem("field", "%q is mapped and cannot say that a record is deleted: choose another field.", to.Label)
	}
	v, wrong := mapping.Constant(to, do.Value)
	if wrong != "" || do.Value == "" {
		if wrong == "" {
			wrong = "is empty."
		}
		return problem("value", "The value that %q gets when a record is deleted %s Correct it.", to.Label, wrong)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return problem("value", "The value that %q gets when a record is deleted cannot be written. Correct it.", to.Label)
	}
	return text, nil
}
