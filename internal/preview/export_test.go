package preview

import (
	"time"

	"hubspotconnector/internal/table"
)

// NewOverlay is the table of a preview, for its contract.
func NewOverlay(below table.Table) table.Table { return newOverlay(below, time.Now) }
