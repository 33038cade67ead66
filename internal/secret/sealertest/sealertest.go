// Package sealertest is the contract of secret.Sealer as tests, which every
// adapter passes.
package sealertest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// Run runs the tests.
func Run(t *testing.T, s secret.Sealer) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(*testing.T, secret.Sealer)
	}{
		{"a secret of any size is opened again", opens},
		{"a secret is opened only for what it is about", about},
		{"bytes that were changed are refused", changed},
		{"many seal and open at once", together},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, s) })
	}
}

func subject() map[string]string { return map[string]string{"connection": "c1", "field": "token"} }

func seal(t *testing.T, s secret.Sealer, about map[string]string, plain []byte) []byte {
	t.Helper()
	sealed, err := s.Seal(t.Context(), about, plain)
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return sealed
}

func opens(t *testing.T, s secret.Sealer) {
	for _, size := range []int{0, 1, 16, 4095, 4096, 4097, 300_000} {
		plain := bytes.Repeat([]byte("canary-"), size/7+1)[:size]
		sealed := seal(t, s, subject(), plain)
		got, err := s.Open(t.Context(), subject(), bytes.Clone(sealed))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: opened %d, %v", size, len(got), err)
		}
		if bytes.Contains(sealed, []byte("canary")) {
			t.Errorf("%d bytes: the secret is in what is sealed", size)
		}
		if bytes.Equal(sealed, seal(t, s, subject(), plain)) {
			t.Errorf("%d bytes: sealed twice is the same", size)
		}
	}
}

func about(t *testing.T, s secret.Sealer) {
	sealed := seal(t, s, subject(), []byte("canary"))
	for name, other := range map[string]map[string]string{
		"nothing":        nil,
		"less":           {"connection": "c1"},
		"more":           {"connection": "c1", "field": "token", "more": "x"},
		"another value":  {"connection": "c2", "field": "token"},
		"swapped values": {"connection": "token", "field": "c1"},
		"shifted":        {"connection": "c1field", "": "token"},
	} {
		if got, err := s.Open(t.Context(), other, sealed); !fault.Is(err, fault.Invalid) || len(got) > 0 {
			t.Errorf("about %s: %d bytes, %v, want Invalid", name, len(got), err)
		}
	}
	free := seal(t, s, nil, []byte("canary"))
	if got, err := s.Open(t.Context(), nil, free); err != nil || string(got) != "canary" {
		t.Errorf("about nothing: %d bytes, %v", len(got), err)
	}
	if _, err := s.Open(t.Context(), subject(), free); !fault.Is(err, fault.Invalid) {
		t.Errorf("about nothing, opened about something: %v, want Invalid", err)
	}
}

func changed(t *testing.T, s secret.Sealer) {
	sealed := seal(t, s, subject(), []byte("canary-value"))
	refused := func(what string, bad []byte) {
		got, err := s.Open(t.Context(), subject(), bad)
		if !fault.Is(err, fault.Invalid) || len(got) > 0 {
			t.Errorf("%s: %d bytes, %v, want Invalid", what, len(got), err)
		}
		if err != nil && bytes.Contains([]byte(err.Error()), []byte("canary")) {
			t.Errorf("%s: the error shows the secret", what)
		}
	}
	refused("nothing", nil)
	refused("something else", []byte("something else"))
	refused("more", append(bytes.Clone(sealed), 0))
	for at := range sealed {
		if at > 8 && at < len(sealed)-8 && at%5 != 0 {
			continue // a call each
		}
		bad := bytes.Clone(sealed)
		bad[at] ^= 1 << (at % 8)
		refused(fmt.Sprintf("byte %d of %d changed", at, len(sealed)), bad)
		refused(fmt.Sprintf("cut to %d of %d", at, len(sealed)), sealed[:at])
	}
}

func together(t *testing.T, s secret.Sealer) {
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			plain := fmt.Appendf(nil, "secret-%d", i)
			sealed, err := s.Seal(t.Context(), subject(), plain)
			if err != nil {
				t.Errorf("seal %d: %v", i, err)
				return
			}
			if got, err := s.Open(t.Context(), subject(), sealed); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("open %d: %q, %v", i, got, err)
			}
		})
	}
	group.Wait()
}
