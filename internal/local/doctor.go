package main

import (
	"cmp"
	"context"
	"io"
	"net/url"
	"strings"

	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/connector"
	"hubspotconnector/internal/doctor"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/inprocess"
)

const doctorExplains = `doctor asks HubSpot and Gainsight how they speak where their documents leave it
open, shows what it found, and keeps it: sync then speaks likewise. It writes
nothing, unless -write lets it write one marked company, which it removes, and one
marked person, which stays. It authorizes as sync does. It ends with 1 if something
found makes the connector wrong, and says what to do.
`

// examination is what the command found.
type examination struct {
	Gainsight doctor.Report `json:"gainsight"`
	HubSpot   doctor.Report `json:"hubspot"`
}

func examine(ctx context.Context, args []string, out io.Writer) error {
	set := flags("doctor", doctorExplains, out)
	dir := set.String("data", dataDir(), "data folder")
	writes := set.Bool("write", false, "examine the write side too, on one marked company and one marked person")
	file := set.String("json", "", "write what was found as JSON to this file")
	read := settings(set)
	if _, err := set.parse(args, 0); err != nil {
		return err
	}
	s, back, err := localSettings(read)
	if err != nil {
		return err
	}
	sys, closeAll, err := open(*dir, s, vendors{})
	if err != nil {
		return err
	}
	defer closeAll()
	d := &doctor.Doctor{HubSpot: sys.HubSpot, Gainsight: sys.Gainsight, Store: sys.Found, Write: *writes}
	var found examination
	var errs [2]error
	found.Gainsight, errs[0] = d.Organisation(ctx)
	report("Gainsight", found.Gainsight, out)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	found.HubSpot, errs[1] = examineHubSpot(ctx, sys, d, s, back, out)
	report("HubSpot", found.HubSpot, out)
	if err := write(*file, found); err != nil {
		return err
	}
	return verdictOf(found, errs[:])
}

// localSettings reads the settings of a command that authorizes.
func localSettings(read func() (connector.Settings, error)) (connector.Settings, *url.URL, error) {
	s, err := read()
	if err != nil {
		return s, nil, err
	}
	back, err := url.Parse(s.HubSpot.RedirectURL)
	if err != nil || back.Scheme != "http" {
		return s, nil, fault.New(fault.Invalid, "REDIRECT_URL must lead to this machine, such as http://localhost:8976/oauth/callback.")
	}
	return s, back, nil
}

// examineHubSpot examines HubSpot over the connection, which it authorizes if need be.
func examineHubSpot(ctx context.Context, sys *inprocess.System, d *doctor.Doctor, s connector.Settings, back *url.URL, out io.Writer) (doctor.Report, error) {
	if err := authorized(ctx, sys, s, back, out); err != nil {
		// An authorized connection may lack its jobs if Gainsight does not answer.
		c, lost := connected(ctx, sys, s.ConnectionName)
		if lost != nil || c.Status != connection.Active {
			return doctor.Report{}, err
		}
	}
	c, err := connected(ctx, sys, s.ConnectionName)
	if err != nil {
		return doctor.Report{}, err
	}
	return d.Account(ctx, doctor.Connection{ID: c.ID, PortalID: c.PortalID, Scopes: c.Scopes})
}

// report prints what was found: first what has to be done, last what cannot be
// checked.
func report(vendor string, r doctor.Report, out io.Writer) {
	if len(r.Findings) == 0 {
		return
	}
	say(out, "%s\n", vendor)
	for _, v := range []doctor.Verdict{doctor.Wrong, doctor.Adapts, doctor.OK, doctor.Unchecked} {
		for _, f := range r.Findings {
			if f.Verdict != v {
				continue
			}
			say(out, "  %-4s%-19s%s\n", f.ID, f.Verdict, f.Assumption)
			lead := strings.Repeat(" ", 25)
			if f.Found != "" {
				say(out, "%sfound:     %s\n", lead, f.Found)
			}
			does := map[doctor.Verdict]string{doctor.Wrong: "to do:", doctor.Unchecked: "because:"}[v]
			say(out, "%s%-11s%s\n", lead, cmp.Or(does, "connector:"), f.Does)
		}
	}
	for _, left := range r.Left {
		say(out, "  Left in Gainsight: %s.\n", left)
	}
	say(out, "\n")
}

// verdictOf is how the command ends.
func verdictOf(found examination, errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	n := 0
	for _, f := range append(found.Gainsight.Findings, found.HubSpot.Findings...) {
		if f.Verdict == doctor.Wrong {
			n++
		}
	}
	if n > 0 {
		return &outcomeError{count(n, "finding") + " must be acted on, see above."}
	}
	return nil
}
