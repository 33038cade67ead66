// Package oauth leads an admin through HubSpot's authorization and back: a
// random state that is good for one return within ten minutes, the exchange of
// the code, and an authorized connection with its out-of-the-box jobs.
package oauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/table"
	"hubspotconnector/internal/token"
)

// stateLife is how long an authorization may take.
const stateLife = 10 * time.Minute

// Flow authorizes connections. All fields but the last three are required.
type Flow struct {
	Table       table.Table
	Connections *connection.Store
	// AuthorizeURL is where the admin grants access; HubSpot returns the state.
	AuthorizeURL func(state string) string
	// Exchange turns a code into a token that tells its account and scopes. A
	// code that HubSpot does not accept is fault.Invalid.
	Exchange func(ctx context.Context, code string) (token.Token, error)
	// Ready is called for an authorized connection, again after an error; nil =
	// nothing is to be done.
	Ready func(ctx context.Context, connectionID string) error
	Now   func() time.Time // nil = time.Now
	// NewState returns a text that nobody can guess; nil = a random one.
	NewState func() string
}

// state is what is remembered of a started authorization.
type state struct {
	Connection string `json:"connection"`
	By         string `json:"by"`
}

func key(s string) table.Key { return table.Key{Partition: "STATE#" + s, Sort: "state"} }

func (f *Flow) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// Begin returns the URL at which an admin (by, for the activity) authorizes a
// connection, for the first time or again.
func (f *Flow) Begin(ctx context.Context, connectionID, by string) (string, error) {
	if _, err := f.Connections.Get(ctx, connectionID); err != nil {
		return "", err
	}
	newState := f.NewState
	if newState == nil {
		newState = rand.Text
	}
	text := newState()
	item := table.New(key(text), state{Connection: connectionID, By: by})
	item.Expires = f.now().Add(stateLife).Truncate(time.Second)
	if _, err := f.Table.Put(ctx, item, table.Absent()); err != nil {
		return "", fmt.Errorf("begin authorization of connection %s: %w", connectionID, err)
	}
	return f.AuthorizeURL(text), nil
}

// Callback finishes an authorization with what HubSpot returned: a code, or an
// error parameter. A state that is unknown, used or too old is fault.Invalid.
// If Ready fails the connection is authorized all the same and is returned with
// the error.
func (f *Flow) Callback(ctx context.Context, code, stateText, errorParam string) (connection.Connection, error) {
	var none connection.Connection
	begun, err := f.take(ctx, stateText)
	if err != nil {
		return none, err
	}
	switch {
	case errorParam == "access_denied":
		return none, fault.New(fault.Invalid, "Access was declined in HubSpot, so nothing was connected. Start again and grant the access, or ask a HubSpot super admin to do it.")
	case errorParam != "" || code == "":
		return none, fault.New(fault.Invalid, "HubSpot did not complete the authorization, so nothing was connected. Start again from Connections.")
	}
	t, err := f.Exchange(ctx, code)
	if err != nil {
		return none, fmt.Errorf("exchange code for connection %s: %w", begun.Connection, err)
	}
	c, err := f.Connections.Authorized(ctx, begun.Connection, t, begun.By)
	if err != nil {
		return none, err
	}
	if f.Ready == nil {
		return c, nil
	}
	if err := f.Ready(ctx, c.ID); err != nil {
		return c, fmt.Errorf("make connection %s ready: %w", c.ID, err)
	}
	return c, nil
}

// take uses a state up.
func (f *Flow) take(ctx context.Context, text string) (state, error) {
	var begun state
	again := func(cause error) error {
		return fault.Wrap(cause, fault.Invalid, "This authorization was used already or is older than 10 minutes. Start again from Connections.")
	}
	if text == "" {
		return begun, fault.New(fault.Invalid, "This page was not reached from an authorization. Start again from Connections.")
	}
	version, err := table.Load(ctx, f.Table, key(text), &begun)
	if fault.Is(err, fault.NotFound) {
		return begun, again(err)
	}
	if err != nil {
		return begun, fmt.Errorf("read authorization state: %w", err)
	}
	err = f.Table.Delete(ctx, key(text), table.VersionIs(version))
	if fault.Is(err, fault.Conflict) {
		return begun, again(err)
	}
	if err != nil {
		return begun, fmt.Errorf("use authorization state: %w", err)
	}
	return begun, nil
}
