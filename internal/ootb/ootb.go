// Package ootb creates the out-of-the-box jobs of a connection and their chain:
// companies, people and users. Target fields are found by their known API names
// or by their labels. A job whose fields do not all exist is created all the
// same, says which to create, and is completed when they are there.
//
// Everything is created in one write, which notes it with the connection: what
// an admin deletes later does not come back.
package ootb

import (
	"context"
	"fmt"
	"reflect"

	"hubspotconnector/internal/chain"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/record"
	"hubspotconnector/internal/table"
)

// Creator creates and completes jobs. All fields are required.
type Creator struct {
	Table       table.Table
	Connections *connection.Store
	Jobs        *job.Store
	Chains      *chain.Store
	// Schema describes an object of the target. Its errors are faults.
	Schema func(ctx context.Context, object string) (record.Schema, error)
	NewID  func() string // returns an id that was never returned before
}

// readyTries bounds how often a lost race is looked at again.
const readyTries = 5

// Ready creates the jobs and the chain of an authorized connection, unless that
// was done before. A job or chain that has one of their names is taken for it.
// After an error nothing is created; call it again.
func (c *Creator) Ready(ctx context.Context, connectionID string) error {
	for try := 1; ; try++ {
		err := c.ready(ctx, connectionID)
		if err == nil || !fault.Is(err, fault.Conflict) || try == readyTries {
			return err
		}
	}
}

func (c *Creator) ready(ctx context.Context, connectionID string) error {
	conn, err := c.Connections.Get(ctx, connectionID)
	if err != nil || conn.Equipped {
		return err
	}
	if conn.PortalID == 0 {
		return fault.New(fault.Reauthorize, "The connection %q is not authorized yet. Authorize it under Connections.", conn.Name)
	}
	schemas := map[string]record.Schema{}
	ops := []table.Op{connection.EquipOp(conn)}
	ids := map[string]string{} // :: template → job id
	for _, t := range templates() {
		j, found, err := c.build(ctx, t, conn, schemas)
		if err != nil {
			return err
		}
		ids[t.name] = j.ID
		if !found {
			ops = append(ops, c.Jobs.SaveOps(nil, j, connection.System)...)
		}
	}
	_, err = c.Chains.Find(ctx, ChainName)
	if fault.Is(err, fault.NotFound) {
		var ch chain.Chain
		ch, err = c.Chains.Prepare(nil, chain.Chain{Name: ChainName, Jobs: []string{ids[CompanySync], ids[CompanyPersonSync]}})
		ops = append(ops, c.Chains.SaveOps(nil, ch, connection.System)...)
	}
	if err != nil {
		return err
	}
	if err := c.Table.Write(ctx, ops); err != nil {
		return fmt.Errorf("create jobs of connection %s: %w", connectionID, err)
	}
	return nil
}

// build returns the job of a template, and whether a job has its name already.
func (c *Creator) build(ctx context.Context, t template, conn connection.Connection, schemas map[string]record.Schema) (job.Job, bool, error) {
	name := job.OOTBName(t.name, conn.Name)
	j, err := c.Jobs.Find(ctx, name)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return j, err == nil, err
	}
	if err := c.describe(ctx, t, schemas); err != nil {
		return j, false, err
	}
	j = job.Job{ID: c.NewID(), Name: name, Connection: conn.ID, OOTB: t.name}
	j.Options.RealTime = t.source != "owner" // HubSpot tells nothing of owners
	j.Mapping, j.Missing = t.build(schemas, conn.PortalID)
	return j, false, nil
}

// describe reads the schemas that a template needs and that are not read yet.
func (c *Creator) describe(ctx context.Context, t template, schemas map[string]record.Schema) error {
	var objects []string
	for _, d := range t.direct {
		objects = append(objects, d.to.object)
	}
	for _, d := range t.derived {
		objects = append(objects, d.to.object, d.field.object)
	}
	for _, object := range objects {
		if _, known := schemas[object]; known {
			continue
		}
		schema, err := c.Schema(ctx, object)
		if err != nil {
			return fmt.Errorf("describe %s: %w", object, err)
		}
		schemas[object] = schema
	}
	return nil
}

// Complete looks again for the fields that incomplete jobs miss. A job whose
// fields are all there becomes ready. While nothing is incomplete it costs one
// read of the jobs and no call.
func (c *Creator) Complete(ctx context.Context) error {
	jobs, err := c.Jobs.List(ctx)
	if err != nil {
		return err
	}
	schemas := map[string]record.Schema{}
	for _, j := range jobs {
		if len(j.Missing) == 0 {
			continue
		}
		if err := c.complete(ctx, j, schemas); err != nil {
			return fmt.Errorf("complete job %s: %w", j.ID, err)
		}
	}
	return nil
}

func (c *Creator) complete(ctx context.Context, old job.Job, schemas map[string]record.Schema) error {
	conn, err := c.Connections.Get(ctx, old.Connection)
	if err != nil {
		return err
	}
	for _, t := range templates() {
		if t.name != old.OOTB {
			continue
		}
		if err := c.describe(ctx, t, schemas); err != nil {
			return err
		}
		j := old
		j.Mapping, j.Missing = t.build(schemas, conn.PortalID)
		if reflect.DeepEqual(j.Missing, old.Missing) {
			return nil
		}
		err := c.Table.Write(ctx, c.Jobs.SaveOps(&old, j, connection.System))
		if fault.Is(err, fault.Conflict) { // an admin saved it meanwhile: it is as he left it
			return nil
		}
		return err
	}
	return nil
}
