package api

import (
	"context"
	"net/http"
	"time"

	"hubspotconnector/internal/admin"
	"hubspotconnector/internal/connection"
	"hubspotconnector/internal/signin"
)

// Connection is a connection to a HubSpot account.
type Connection struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Status   connection.Status `json:"status"`
	PortalID int64             `json:"portalId,omitempty" doc:"The HubSpot account; missing until the first authorization."`
	Domain   string            `json:"domain,omitempty"`
	Scopes   []string          `json:"scopes,omitempty" nullable:"false" doc:"What the account granted."`
	Created  time.Time         `json:"created"`
	Version  int64             `json:"version"`
}

func connectionOf(c connection.Connection) Connection {
	return Connection{ID: c.ID, Name: c.Name, Status: c.Status, PortalID: c.PortalID, Domain: c.Domain, Scopes: c.Scopes, Created: c.Created, Version: c.Version}
}

// ConnectionInput is what people say of a connection.
type ConnectionInput struct {
	Name string `json:"name" doc:"1 to 200 characters, unlike those of the others."`
}

// TestLine is one thing that was tested.
type TestLine struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Message string `json:"message" doc:"What was found, and what to do if it is not as it should be."`
}

// TestResult is what a test found.
type TestResult struct {
	OK    bool       `json:"ok" doc:"Whether all lines are."`
	Lines []TestLine `json:"lines" nullable:"false"`
}

func testResult(lines []admin.TestLine) *answer[TestResult] {
	out := TestResult{OK: true, Lines: make([]TestLine, len(lines))}
	for i, l := range lines {
		out.Lines[i] = TestLine{l.Name, l.OK, l.Message}
		out.OK = out.OK && l.OK
	}
	return &answer[TestResult]{out}
}

// Quota is how much of a vendor's limit is used.
type Quota struct {
	Vendor  string  `json:"vendor"`
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds" doc:"Length of the window."`
	Used    int     `json:"used"`
	Calls   int     `json:"calls" doc:"The limit."`
}

func quotaOf(q admin.Quota) Quota {
	return Quota{Vendor: q.Vendor, Name: q.Name, Seconds: q.Per.Seconds(), Used: q.Used, Calls: q.Calls}
}

// ByID is the path of one thing.
type ByID struct {
	ID string `path:"id" maxLength:"200"`
}

// change is an edit of one thing.
type change[T any] struct {
	ByID
	Edit
	Body T
}

// drop removes one thing.
type drop struct {
	ByID
	Removal
}

// Sentences are texts for people.
type Sentences struct {
	Sentences []string `json:"sentences" nullable:"false"`
}

// Address leads to a page.
type Address struct {
	URL string `json:"url" doc:"HubSpot's page, good for 10 minutes. It leads back to the console."`
}

func (a *api) connections() {
	register(a, operation{id: "listConnections", method: "GET", path: "/connections", tag: "Connections", summary: "List the connections"},
		func(ctx context.Context, in *Paging) (*answer[List[Connection]], error) {
			all, err := a.Connections.List(ctx)
			if err != nil {
				return nil, err
			}
			return page(all, *in, func(c connection.Connection) string { return c.ID }, connectionOf)
		})
	register(a, operation{
		id: "createConnection", method: "POST", path: "/connections", tag: "Connections", summary: "Create a connection", role: signin.Admin, status: http.StatusCreated,
		conflict: true, description: "It cannot be used before it is authorized. One more than the deployment allows is refused.",
	}, a.createConnection)
	register(a, operation{id: "getConnection", method: "GET", path: "/connections/{id}", tag: "Connections", summary: "Read a connection"},
		func(ctx context.Context, in *ByID) (*versioned[Connection], error) {
			return connectionAnswer(a.Connections.Get(ctx, in.ID))
		})
	register(a, operation{
		id: "renameConnection", method: "PUT", path: "/connections/{id}", tag: "Connections", summary: "Rename a connection", role: signin.Admin,
		description: "Out-of-the-box jobs whose name nobody touched follow.",
	}, a.renameConnection)
	register(a, operation{
		id: "deleteConnection", method: "DELETE", path: "/connections/{id}", tag: "Connections", summary: "Delete a connection for good", role: signin.Admin, vendor: true,
		description: "It is revoked, and its job chains, jobs and schedules go with it; the activity stays. Refused while a run is active.",
	}, a.deleteConnection)
	register(a, operation{
		id: "listConsequences", method: "GET", path: "/connections/{id}/consequences", tag: "Connections", summary: "Tell what revoking or deleting a connection would do",
	}, a.consequences)
	register(a, operation{
		id: "authorizeConnection", method: "POST", path: "/connections/{id}/authorize", tag: "Connections", summary: "Begin to authorize a connection", role: signin.Admin,
		description: "Again, it re-authorizes. Open the page in a browser in which somebody is signed in to the console.",
	}, func(ctx context.Context, in *ByID) (*answer[Address], error) {
		address, err := a.Flow.Begin(ctx, in.ID, by(ctx))
		return &answer[Address]{Address{address}}, err
	})
	register(a, operation{
		id: "revokeConnection", method: "POST", path: "/connections/{id}/revoke", tag: "Connections", summary: "Withdraw the permission", role: signin.Admin, vendor: true, conflict: true,
		description: "From then on runs of its jobs fail and nothing is called. Again, it finishes what was interrupted.",
	}, func(ctx context.Context, in *ByID) (*versioned[Connection], error) {
		return connectionAnswer(a.Connections.Revoke(ctx, in.ID, by(ctx)))
	})
	register(a, operation{
		id: "testConnection", method: "GET", path: "/connections/{id}/test", tag: "Connections", summary: "Test a connection", vendor: true,
		description: "Its token, its account, the scopes of each object, and what is left of the limits.",
	}, func(ctx context.Context, in *ByID) (*answer[TestResult], error) {
		lines, err := a.admin.TestConnection(ctx, in.ID)
		return testResult(lines), err
	})
	register(a, operation{id: "listQuotas", method: "GET", path: "/quotas", tag: "Connections", summary: "Tell how much of the vendors' limits is used"},
		func(ctx context.Context, _ *struct{}) (*answer[List[Quota]], error) {
			quotas, err := a.admin.Quotas(ctx)
			return list(quotas, "", quotaOf), err
		})
}

func connectionAnswer(c connection.Connection, err error) (*versioned[Connection], error) {
	return &versioned[Connection]{tag(c.Version), connectionOf(c)}, err
}

func (a *api) createConnection(ctx context.Context, in *struct{ Body ConnectionInput }) (*created[Connection], error) {
	c, err := a.Connections.Create(ctx, in.Body.Name, by(ctx))
	return &created[Connection]{tag(c.Version), Prefix + "/connections/" + c.ID, connectionOf(c)}, inBody(err, "body.name")
}

func (a *api) renameConnection(ctx context.Context, in *change[ConnectionInput]) (*versioned[Connection], error) {
	was, err := a.Connections.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := in.from(was.Version); err != nil {
		return nil, err
	}
	c, err := a.Connections.Rename(ctx, in.ID, in.Body.Name, by(ctx))
	return connectionAnswer(c, inBody(err, "body.name"))
}

func (a *api) deleteConnection(ctx context.Context, in *drop) (*nothing, error) {
	c, err := a.Connections.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := in.from(c.Version); err != nil {
		return nil, err
	}
	return nil, a.Connections.Delete(ctx, in.ID, by(ctx))
}

type consequencesInput struct {
	ByID
	Of string `query:"of" enum:"revoke,delete" required:"true"`
}

func (a *api) consequences(ctx context.Context, in *consequencesInput) (*answer[Sentences], error) {
	if _, err := a.Connections.Get(ctx, in.ID); err != nil {
		return nil, err
	}
	said, err := a.admin.Consequences(ctx, in.ID, in.Of == "revoke")
	return &answer[Sentences]{Sentences{append([]string{}, said...)}}, err
}
