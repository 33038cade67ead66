package gainsight_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/gainsight"
	"hubspotconnector/internal/secret"
)

const keyIsWrong = `{"result":false,"errorCode":"GSOBJ_1006","errorDesc":"x"}`

// A key that was rotated is taken up by the call that finds the old one refused;
// a key that is just wrong costs one call.
func TestARotatedKeyIsReadAfreshWhenTheOldOneIsRefused(t *testing.T) {
	tests := []struct {
		name          string
		cached, fresh secret.Text
		sent          []string
		asked         []bool
		kind          fault.Kind
	}{
		{"good", "new", "new", []string{"new"}, []bool{false}, ""},
		{"rotated", "old", "new", []string{"old", "new"}, []bool{false, true}, ""},
		{"wrong", "old", "old", []string{"old"}, []bool{false, true}, fault.Invalid},
		{"rotated to a wrong one", "old", "odd", []string{"old", "odd"}, []bool{false, true}, fault.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, v := connect(t, func(_ int, r *http.Request, _ string) (int, string) {
				if r.Header.Get("accesskey") == "new" {
					return 200, noRows
				}
				return 401, keyIsWrong
			})
			var asked []bool
			c.Config = gainsight.Config{}
			c.Destination = func(_ context.Context, fresh bool) (gainsight.Config, error) {
				asked = append(asked, fresh)
				if fresh {
					return gainsight.Config{URL: origin, AccessKey: tt.fresh}, nil
				}
				return gainsight.Config{URL: origin, AccessKey: tt.cached}, nil
			}
			err := c.Test(t.Context())
			if (err != nil) != (tt.kind != "") || err != nil && !fault.Is(err, tt.kind) {
				t.Errorf("err = %v, want %q", err, tt.kind)
			}
			var keys []string
			for _, h := range v.headers {
				keys = append(keys, h.Get("accesskey"))
			}
			if d := cmp.Diff(tt.sent, keys); d != "" {
				t.Errorf("keys that were sent (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.asked, asked); d != "" {
				t.Errorf("asked afresh (-want +got):\n%s", d)
			}
		})
	}
}

func TestWithoutADestinationNothingIsCalled(t *testing.T) {
	c, v := connect(t, answers(200, noRows))
	c.Destination = func(context.Context, bool) (gainsight.Config, error) {
		return gainsight.Config{}, fault.New(fault.Invalid, "Gainsight is not set up.")
	}
	err := c.Test(t.Context())
	_, errGrant := c.Grant(t.Context())
	for _, err := range []error{err, errGrant} {
		if !fault.Is(err, fault.Invalid) || fault.MessageOf(err) != "Gainsight is not set up." {
			t.Errorf("err = %v", err)
		}
	}
	if len(v.sent) != 0 {
		t.Errorf("sent %v", v.sent)
	}
}

func TestARotatedClientIsReadAfreshWhenTheOldOneIsRefused(t *testing.T) {
	c, v := connect(t, func(_ int, r *http.Request, _ string) (int, string) {
		if _, password, _ := r.BasicAuth(); password == "new" {
			return 200, `{"access_token":"t","expires_in":60}`
		}
		return 401, `{"result":false,"errorCode":"GS_1","errorDesc":"x"}`
	})
	c.Destination = func(_ context.Context, fresh bool) (gainsight.Config, error) {
		if fresh {
			return gainsight.Config{URL: origin, ClientID: "id", ClientSecret: "new"}, nil
		}
		return gainsight.Config{URL: origin, ClientID: "id", ClientSecret: "old"}, nil
	}
	got, err := c.Grant(t.Context())
	if err != nil || got.Access != "t" || len(v.sent) != 2 {
		t.Errorf("%v, %v after %d calls, want a token after 2", got, err, len(v.sent))
	}
}
