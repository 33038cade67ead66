package hubspot

import (
	"context"
	"fmt"
)

// Dialect is how HubSpot speaks where its documents say nothing (state of
// November 2026). The zero Dialect is what others have seen. It is found by asking
// HubSpot, see package doctor.
type Dialect struct {
	// SilentlyEmpty says that a batch of associations leaves out the records
	// without any and does not name them. Without it such an answer is an error,
	// because unknown is not empty (Guarantee 6).
	SilentlyEmpty bool `json:"silentlyEmpty,omitempty"`
}

// dialect returns HubSpot's dialect.
func (c *Client) dialect(ctx context.Context) (Dialect, error) {
	if c.Dialect == nil {
		return Dialect{}, nil
	}
	d, err := c.Dialect(ctx)
	if err != nil {
		return Dialect{}, fmt.Errorf("read HubSpot's dialect: %w", err)
	}
	return d, nil
}
