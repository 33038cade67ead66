package s3blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hubspotconnector/internal/blob/s3blob"
	"hubspotconnector/internal/fault"
)

// line is the way to S3 and back.
type line func(*http.Request) (*http.Response, error)

func (l line) RoundTrip(r *http.Request) (*http.Response, error) { return l(r) }

// answer is one of S3's, in its form (S3 API reference, Error responses). A HEAD
// has no body.
func answer(r *http.Request, status int, code, message string) *http.Response {
	body := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>%s</Code><Message>%s</Message><RequestId>4442587FB7D0A2F9</RequestId><HostId>canary-host</HostId></Error>`, code, message)
	if r.Method == http.MethodHead {
		body = ""
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}
}

// over returns a bucket whose client tries a call so often over a line.
func over(tries int, l line) *s3blob.Bucket {
	return s3blob.New(connect(aws.Config{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: l}, RetryMaxAttempts: tries,
		Credentials: credentials.NewStaticCredentialsProvider("key", "canary-secret", ""),
	}), bucket, s3blob.Options{Sleep: func(context.Context, time.Duration) error { return nil }})
}

// calls are all that a bucket can do. :: name → call
func calls(ctx context.Context, b *s3blob.Bucket) map[string]func() error {
	return map[string]func() error{
		"create":       func() error { return b.Create(ctx, "a", stream(10)) },
		"create large": func() error { return b.Create(ctx, "a", stream(9<<20)) },
		"open":         func() error { _, err := b.Open(ctx, "a"); return err },
		"list":         func() error { _, err := b.List(ctx, "a"); return err },
		"delete":       func() error { return b.Delete(ctx, "a") },
		"link":         func() error { _, err := b.Link(ctx, "a", "a.csv", time.Hour); return err },
	}
}

func TestEachAnswerOfS3HasItsKindAndTheWayOut(t *testing.T) {
	const kms = "User: arn:aws:sts::111122223333:assumed-role/canary is not authorized to perform: kms:GenerateDataKey on the resource associated with this ciphertext"
	tests := []struct {
		code, message string
		status        int
		kind          fault.Kind
		says          string
	}{
		{"SlowDown", "Please reduce your request rate.", 503, fault.Throttled, "tried again"},
		{"ServiceUnavailable", "Service is unable to handle request.", 503, fault.Transient, "tried again"},
		{"InternalError", "We encountered an internal error. Please try again.", 500, fault.Transient, "tried again"},
		{"RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.", 400, fault.Transient, "tried again"},
		{"OperationAborted", "A conflicting conditional operation is in progress against this resource.", 409, fault.Transient, "tried again"},
		{"BadDigest", "The Content-MD5 you specified did not match what we received.", 400, fault.Transient, "tried again"},
		{"RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.", 403, fault.Transient, "clock"},
		{"SignatureDoesNotMatch", "The request signature we calculated does not match.", 403, fault.Transient, "credentials"},
		{"ExpiredToken", "The provided token has expired.", 400, fault.Transient, "expired"},
		{"InvalidAccessKeyId", "The AWS access key ID you provided does not exist in our records.", 403, fault.Transient, "credentials"},
		{"AccessDenied", "Access Denied", 403, fault.Invalid, "permission"},
		{"AccessDenied", kms, 403, fault.Invalid, "KMS key"},
		{"KMS.DisabledException", "arn:aws:kms:canary is disabled.", 400, fault.Invalid, "KMS key"},
		{"KMS.KMSInvalidStateException", "arn:aws:kms:canary is pending deletion.", 400, fault.Invalid, "KMS key"},
		{"NoSuchBucket", "The specified bucket does not exist", 404, fault.Invalid, "Check its name and the region"},
		{"PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.", 301, fault.Invalid, "another region"},
		{"AuthorizationHeaderMalformed", "The region 'us-east-1' is wrong; expecting 'eu-west-1'", 400, fault.Invalid, "another region"},
		{"XFull", "No space.", 507, fault.Invalid, "full"},
	}
	for _, tt := range tests {
		b := over(1, func(r *http.Request) (*http.Response, error) {
			return answer(r, tt.status, tt.code, "canary "+tt.message), nil
		})
		for name, call := range calls(t.Context(), b) {
			if name == "link" { // a HEAD tells the status alone
				continue
			}
			t.Run(tt.code+" to "+name, func(t *testing.T) {
				err := call()
				message := fault.MessageOf(err)
				if fault.KindOf(err) != tt.kind || !strings.Contains(message, tt.says) || strings.Contains(message, "canary") {
					t.Errorf("%s: %q, want %s with %q", fault.KindOf(err), message, tt.kind, tt.says)
				}
			})
		}
	}
}

func TestAnAnswerWithoutABodyHasAKindToo(t *testing.T) {
	for status, want := range map[int]fault.Kind{301: fault.Invalid, 404: fault.NotFound, 403: fault.Invalid, 500: fault.Transient, 503: fault.Transient} {
		b := over(1, func(r *http.Request) (*http.Response, error) { return answer(r, status, "", ""), nil })
		if _, err := b.Link(t.Context(), "a", "a.csv", time.Hour); !fault.Is(err, want) {
			t.Errorf("status %d: %v, want %s", status, err, want)
		}
	}
}

func TestNoAnswerIsTransient(t *testing.T) {
	b := over(1, func(*http.Request) (*http.Response, error) { return nil, errors.New("dial canary") })
	for name, call := range calls(t.Context(), b) {
		if err := call(); !fault.Is(err, fault.Transient) || strings.Contains(fault.MessageOf(err), "canary") {
			t.Errorf("%s: %v, want Transient", name, err)
		}
	}
}

func TestAStreamThatBreaksOffIsTransient(t *testing.T) {
	b := over(1, func(r *http.Request) (*http.Response, error) {
		body := io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{}))
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Length": {"8"}}, ContentLength: 8, Body: body, Request: r}, nil
	})
	f, err := b.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); string(got) != "half" || !fault.Is(err, fault.Transient) {
		t.Errorf("read %q, %v; want Transient", got, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// loss takes the request or the answer of one call, or of every call from one on.
type loss struct {
	call   int
	answer bool // else the request
	all    bool
}

// lossy returns a bucket over a line to the engine on which there is a loss, and
// the calls that were made.
func lossy(client *s3.Client, tries int, l loss) (b *s3blob.Bucket, made *[]string) {
	made = new([]string)
	transport := client.Options().HTTPClient
	broken := errors.New("connection reset")
	o := client.Options()
	o.HTTPClient = &http.Client{Transport: line(func(r *http.Request) (*http.Response, error) {
		*made = append(*made, r.Method)
		hit := len(*made) == l.call || l.all && len(*made) > l.call
		if hit && !l.answer {
			return nil, broken
		}
		resp, err := transport.Do(r)
		if hit && err == nil {
			_ = resp.Body.Close()
			return nil, broken
		}
		return resp, err
	})}
	o.RetryMaxAttempts = tries
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = tries
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
	return s3blob.New(s3.New(o), bucket, s3blob.Options{Sleep: func(context.Context, time.Duration) error { return nil }}), made
}

// sizes of files: one call, and four (begin, two parts, end).
var sizes = map[int]int{1000: 1, 9 << 20: 4}

func TestALostAnswerIsMadeGoodByAnotherTry(t *testing.T) {
	client := inProcess(t)
	create(t, client)
	for size, n := range sizes {
		for call := range n {
			for _, lost := range []bool{false, true} {
				l := loss{call: call + 1, answer: lost}
				t.Run(fmt.Sprintf("%d bytes, %+v", size, l), func(t *testing.T) {
					b, _ := lossy(client, 3, l)
					name := fmt.Sprintf("%d/%d/%t", size, call, lost)
					if err := b.Create(t.Context(), name, stream(size)); err != nil {
						t.Fatal(err)
					}
					holds(t, b, name, size)
				})
			}
		}
	}
}

func TestAfterALossCreatingAgainEndsWell(t *testing.T) {
	client := inProcess(t)
	whole := create(t, client)
	for size, n := range sizes {
		for call := range n {
			for _, lost := range []bool{false, true} {
				l := loss{call: call + 1, answer: lost, all: true}
				t.Run(fmt.Sprintf("%d bytes, %+v", size, l), func(t *testing.T) {
					b, _ := lossy(client, 1, l)
					name := fmt.Sprintf("%d/%d/%t", size, call, lost)
					if err := b.Create(t.Context(), name, stream(size)); !fault.Is(err, fault.Transient) {
						t.Errorf("first: %v, want Transient", err)
					}
					arrived := lost && call == n-1
					if err := whole.Create(t.Context(), name, stream(size)); (err != nil) != arrived || err != nil && !fault.Is(err, fault.Conflict) {
						t.Errorf("again: %v; want a Conflict only if the first one arrived", err)
					}
					holds(t, whole, name, size)
				})
			}
		}
	}
}

func TestEachWayHasItsPrice(t *testing.T) {
	client := inProcess(t)
	create(t, client)
	tests := []struct {
		name string
		call string
		want []string
	}{
		{"a small file", "create", []string{"PUT"}},
		{"a file that exists", "create", []string{"PUT", "HEAD"}},
		{"a large file that exists", "create large", []string{"POST", "PUT", "PUT", "POST", "HEAD", "DELETE"}},
		{"reading", "open", []string{"GET"}},
		{"a list", "list", []string{"GET"}},
		{"a link", "link", []string{"HEAD"}},
		{"deleting", "delete", []string{"DELETE"}},
		{"a large file", "create large", []string{"POST", "PUT", "PUT", "POST"}},
	}
	for _, tt := range tests {
		b, made := lossy(client, 1, loss{})
		if err := calls(t.Context(), b)[tt.call](); err != nil && !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !slices.Equal(*made, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, *made, tt.want)
		}
	}
}

func TestAPutThatCrossesAnotherIsRepeated(t *testing.T) {
	for crossings, want := range map[int]fault.Kind{1: "", 4: "", 5: fault.Transient} {
		var bodies [][]byte
		b := over(1, func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			if bodies = append(bodies, body); len(bodies) <= crossings {
				return answer(r, 409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource."), nil
			}
			return &http.Response{StatusCode: 200, Header: http.Header{"Etag": {`"e"`}}, Body: http.NoBody, Request: r}, nil
		})
		err := b.Create(t.Context(), "a", stream(5))
		if (err != nil) != (want != "") || err != nil && !fault.Is(err, want) {
			t.Errorf("%d crossings: %v, want %q", crossings, err, want)
		}
		for _, body := range bodies {
			if !bytes.Contains(body, []byte("01234")) {
				t.Errorf("a repetition sends %q", body)
			}
		}
		if want := min(crossings+1, 5); len(bodies) != want {
			t.Errorf("%d crossings: %d calls, want %d", crossings, len(bodies), want)
		}
	}
}
