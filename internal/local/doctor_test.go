package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hubspotconnector/internal/gainsight/gainsightsim"
	"hubspotconnector/internal/hubspot/hubspotsim"
)

func TestDoctorFindsHowTheVendorsSpeakAndSyncSpeaksLikewise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	w.target.SetSwitches(gainsightsim.Switches{FoldCase: true, DescribeByPost: true, ExactNames: true})
	w.fail("sync")
	file := filepath.Join(t.TempDir(), "found.json")
	out := w.succeed("doctor", "-json", file)
	for _, want := range []string{"G11 adapts", "Only POST is served", "G29 cannot be checked", "give -write", "H2  ok"} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor does not say %q:\n%s", want, out)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]struct {
		Findings []map[string]string `json:"findings"`
	}
	if err := json.Unmarshal(text, &found); err != nil || len(found["gainsight"].Findings) != 52 || len(found["hubspot"].Findings) != 21 {
		t.Errorf("%v\n%s", err, text)
	}
	for _, secret := range append([]string{clientSecret, accessKey}, w.issued...) {
		if strings.Contains(out+string(text), secret) {
			t.Errorf("doctor tells a secret: %s", out)
		}
	}
	if n := w.target.Writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
	w.sync()
	w.right(false)
}

func TestDoctorFailsIfTheConnectorIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubspotsim.Options{}, small)
	w.target.SetSwitches(gainsightsim.Switches{ClearAbsent: true})
	if out := w.succeed("doctor"); strings.Contains(out, "must be told") {
		t.Errorf("without -write it cannot know:\n%s", out)
	}
	r := w.run("doctor", "-write")
	if r.code != 1 || r.stderr != "1 finding must be acted on, see above.\n" {
		t.Errorf("ended with %d: %s", r.code, r.stderr)
	}
	if !strings.Contains(r.stdout, "to do:     Do not sync yet") || !strings.Contains(r.stdout, "Left in Gainsight: a person") {
		t.Errorf("doctor says:\n%s", r.stdout)
	}
	w.target.SetSwitches(gainsightsim.Switches{IPDenied: true})
	if sentence := w.fail("doctor"); sentence != "1 finding must be acted on, see above." {
		t.Errorf("doctor says %s", sentence)
	}
	w.fail("doctor", "more")
	delete(w.env, "GAINSIGHT_URL")
	w.fail("doctor")
}
