package finish

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/run"
	"hubspotconnector/internal/staging"
)

// errorFile writes the run's error file, unless it is there, and returns its
// name. Every rejected record is in it exactly once.
func (f *Finisher) errorFile(ctx context.Context, r run.Run, plan staging.Plan) (string, error) {
	name := "errors/" + string(r.ID) + ".csv"
	err := f.Bucket.Create(ctx, name, func(w io.Writer) error {
		// The mark makes spreadsheets read the file as UTF-8.
		if _, err := io.WriteString(w, "\uFEFF"); err != nil {
			return err
		}
		out := csv.NewWriter(w)
		out.UseCRLF = true
		if err := out.Write(header(plan)); err != nil {
			return err
		}
		parts, err := f.Runs.Parts(ctx, r.ID)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if p.Counts.Rejected == 0 {
				continue
			}
			err := f.rejects(ctx, r.ID, p, func(reject record.Reject) error { return out.Write(line(plan, reject)) })
			if err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return "", fmt.Errorf("write error file of run %s: %w", r.ID, err)
	}
	return name, nil
}

// rejects visits the rejects of a part: those of transform from the staged rows,
// those of upsert from the store. A record that both passes reject is visited
// once.
func (f *Finisher) rejects(ctx context.Context, id run.ID, p run.Part, visit func(record.Reject) error) error {
	stored, err := f.Runs.Rejects(ctx, id, p.Number)
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for pass := 1; pass <= p.Pass; pass++ {
		n := 0
		err := f.Staging.Rows(ctx, id, p.Number, pass, func(e staging.Entry) error {
			n++
			if pass == p.Pass && n > p.At || told[e.ID()] { // a part that failed has settled only this far
				return nil
			}
			reject, ok := stored[e.ID()]
			switch {
			case ok:
				reject = openReject(reject, e)
			case e.Reject != nil:
				reject = *e.Reject
			default:
				return nil
			}
			told[e.ID()] = true
			return visit(reject)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func header(plan staging.Plan) []string {
	columns := []string{"HubSpot record id", "Link", "Step", "Field", "Value", "Code", "Reason", "How to fix"}
	for _, column := range dataset(plan) {
		columns = append(columns, safe(column.label))
	}
	return columns
}

func line(plan staging.Plan, r record.Reject) []string {
	cells := []string{r.SourceID, link(plan, r.SourceID), r.Step, r.Field, r.Value, string(r.Code), r.Reason, r.Fix}
	for _, column := range dataset(plan) {
		cell := ""
		if v := r.Source[column.name]; v != nil {
			cell = *v
		}
		cells = append(cells, cell)
	}
	for i := range cells {
		cells[i] = safe(cells[i])
	}
	return cells
}

type column struct{ name, label string }

func dataset(plan staging.Plan) []column {
	var columns []column
	for _, field := range plan.Job.Mapping.Fields {
		label := field.Label
		if label == "" {
			label = field.Name
		}
		columns = append(columns, column{field.Name, label})
	}
	for _, f := range plan.Job.Mapping.Formulas {
		columns = append(columns, column{f.Name, f.Name})
	}
	for _, c := range plan.Job.Mapping.Cases {
		columns = append(columns, column{c.Name, c.Name})
	}
	return columns
}

// link leads to the record in HubSpot; owners have no page of their own.
func link(plan staging.Plan, id string) string {
	object, ok := catalog.Find(plan.Job.Mapping.Source)
	if !ok {
		return ""
	}
	return object.Link(plan.PortalID, id)
}

// safe makes a cell that a spreadsheet would run as a formula plain text.
func safe(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r|%", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
