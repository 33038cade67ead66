package hubspotsim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// Consent opens an authorize page as a browser would and returns the query with
// which HubSpot leads back: code and state, or error. It takes Options.AutoApprove
// or Options.Deny, under which the page leads back by itself.
func (s *Sim) Consent(ctx context.Context, page string) (url.Values, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.Transport().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	back, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("the authorize page answers %d and does not lead back: %w", resp.StatusCode, err)
	}
	return back.Query(), nil
}
