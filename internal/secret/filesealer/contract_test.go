package filesealer_test

import (
	"path/filepath"
	"testing"

	"hubspotconnector/internal/secret/sealertest"
)

func TestSealer(t *testing.T) {
	sealertest.Run(t, open(t, filepath.Join(t.TempDir(), "key")))
}
