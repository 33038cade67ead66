package console

import (
	"net/url"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/fault"
)

// samplePage is records as the dataset of a job sees them.
type samplePage struct {
	admin.Sample
	Kept     int
	Back     string
	Problems []problem
	Trouble  string
}

// sample shows 20 records after filter and computed fields.
func (c *console) sample(q *request) error {
	e, err := c.editing(q)
	if err != nil {
		return err
	}
	page := samplePage{Back: "/jobs/" + url.PathEscape(e.Key) + "/edit/" + preparation}
	page.Sample, err = c.admin.Sample(q.ctx(), e.Job)
	problems, known := problemsOf(err)
	switch {
	case known:
		page.Problems = problems
	case err != nil && fault.Is(err, fault.Internal):
		return err
	case err != nil:
		page.Trouble = fault.MessageOf(err)
	}
	for _, row := range page.Rows {
		if row.Kept {
			page.Kept++
		}
	}
	return q.show("sample", "Sample of "+e.Job.Name, page)
}

// previewDraft shows what a run of the job as it is edited would do.
func (c *console) previewDraft(q *request) error {
	e, err := c.editing(q)
	if err != nil {
		return err
	}
	here := "/jobs/" + url.PathEscape(e.Key) + "/edit/"
	return c.showPreview(q, e.Job, previewPage{Draft: true, Back: here + configure, Here: here + "preview"})
}
