package s3blob_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
	"golang.org/x/sync/errgroup"

	"hubspotconnector/internal/awstest"
	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/blob/blobtest"
	"hubspotconnector/internal/blob/s3blob"
	"hubspotconnector/internal/fault"
)

const bucket = "files"

func connect(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// inProcess returns a client of an S3 that lives in this process and checks
// signatures.
func inProcess(t *testing.T) *s3.Client {
	t.Helper()
	server := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithV4Auth(map[string]string{"key": "secret"})).Server())
	t.Cleanup(server.Close)
	return connect(aws.Config{
		Region: awstest.Region, BaseEndpoint: &server.URL, RetryMaxAttempts: 1, HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
}

func create(t *testing.T, client *s3.Client) *s3blob.Bucket {
	t.Helper()
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	return s3blob.New(client, bucket, s3blob.Options{})
}

// engines are where the tests run that need a whole S3.
func engines(t *testing.T, run func(t *testing.T, client *s3.Client)) {
	t.Helper()
	t.Run("gofakes3", func(t *testing.T) { run(t, inProcess(t)) })
	t.Run("ministack", func(t *testing.T) { run(t, connect(awstest.Config(t, awstest.Start(t)))) })
}

func TestItKeepsTheContract(t *testing.T) {
	engines(t, func(t *testing.T, client *s3.Client) {
		b := create(t, client)
		blobtest.Run(t, func(*testing.T) blob.Bucket { return b })
		t.Run("a large file comes in parts", func(t *testing.T) { large(t, client, b) })
		t.Run("a link serves the file under its name", func(t *testing.T) { link(t, b) })
		t.Run("a list has many pages", func(t *testing.T) { pages(t, b) })
	})
}

// stream writes n bytes in pieces that are no divisor of a part.
func stream(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(digits{}, int64(n)), make([]byte, 100_003))
		return err
	}
}

// digits is an endless text. Its period is no divisor of a part.
type digits struct{}

var period = bytes.Repeat([]byte("0123456789a"), 10_000)

func (digits) Read(p []byte) (int, error) { return copy(p, period), nil }

// holds fails the test unless the file is the n bytes of stream.
func holds(t *testing.T, b *s3blob.Bucket, name string, n int) {
	t.Helper()
	f, err := b.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	got, want := sha256.New(), sha256.New()
	size, err := io.Copy(got, f)
	if err := errors.Join(err, f.Close(), stream(n)(want)); err != nil || size != int64(n) || string(got.Sum(nil)) != string(want.Sum(nil)) {
		t.Errorf("%s has %d bytes, %v; want the %d written", name, size, err, n)
	}
}

// unfinished is how many uploads there are that nobody completed.
func unfinished(t *testing.T, client *s3.Client) int {
	t.Helper()
	out, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Uploads)
}

func large(t *testing.T, client *s3.Client, b *s3blob.Bucket) {
	const part = 8 << 20
	for name, size := range map[string]int{"two-and-a-bit": 2*part + 12_345, "one": part, "two": 2 * part, "one-and-a-byte": part + 1} {
		if err := b.Create(t.Context(), "large/"+name, stream(size)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		holds(t, b, "large/"+name, size)
	}
	if err := b.Create(t.Context(), "large/one", stream(2*part)); !fault.Is(err, fault.Conflict) {
		t.Errorf("create over another: %v, want Conflict", err)
	}
	holds(t, b, "large/one", part)
	broken := errors.New("broken")
	err := b.Create(t.Context(), "large/none", func(w io.Writer) error { return errors.Join(stream(2*part)(w), broken) })
	if !errors.Is(err, broken) {
		t.Errorf("a writer that fails late: %v", err)
	}
	if _, err := b.Open(t.Context(), "large/none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("what a failed writer left: %v, want NotFound", err)
	}
	if n := unfinished(t, client); n != 0 {
		t.Errorf("%d uploads are unfinished", n)
	}
}

// get follows a link as a browser would.
func get(t *testing.T, link string) (status int, disposition, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := new(http.Client).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Disposition"), string(content)
}

func link(t *testing.T, b *s3blob.Bucket) {
	if err := b.Create(t.Context(), "errors/1.csv", func(w io.Writer) error { _, err := io.WriteString(w, "a,b\n"); return err }); err != nil {
		t.Fatal(err)
	}
	const name = `Company Sync_HubSpot "ü" errors.csv`
	for valid, want := range map[time.Duration]string{time.Hour: "3600", 0: "1", 30 * 24 * time.Hour: "604800"} {
		signed, err := b.Link(t.Context(), "errors/1.csv", name, valid)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(signed)
		if err != nil || u.Query().Get("X-Amz-Expires") != want {
			t.Errorf("a link for %s ends after %s seconds, %v; want %s", valid, u.Query().Get("X-Amz-Expires"), err, want)
		}
		if valid != time.Hour {
			continue
		}
		status, disposition, body := get(t, signed)
		if status != http.StatusOK || body != "a,b\n" {
			t.Errorf("the link answers %d, %q", status, body)
		}
		if kind, params, err := mime.ParseMediaType(disposition); err != nil || kind != "attachment" || params["filename"] != name {
			t.Errorf("the file is served as %q, %v", disposition, err)
		}
	}
}

func pages(t *testing.T, b *s3blob.Bucket) {
	const files = 1005
	var group errgroup.Group
	group.SetLimit(8)
	for i := range files {
		group.Go(func() error { return b.Create(t.Context(), fmt.Sprintf("many/%04d", i), stream(0)) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := b.List(t.Context(), "many/")
	if err != nil || len(list) != files || list[0].Name != "many/0000" || list[files-1].Name != "many/1004" {
		t.Errorf("%d files, %v; want %d in order", len(list), err, files)
	}
}

func TestALinkIsGoodForItsFileAlone(t *testing.T) {
	b := create(t, inProcess(t)) // ministack checks no signatures
	for _, name := range []string{"mine", "other"} {
		if err := b.Create(t.Context(), name, stream(3)); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := b.Link(t.Context(), "mine", "mine.csv", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := get(t, signed); status != http.StatusOK {
		t.Errorf("the link itself: %d", status)
	}
	for name, changed := range map[string]string{
		"another file":  strings.Replace(signed, "/mine?", "/other?", 1),
		"a longer life": strings.Replace(signed, "X-Amz-Expires=3600", "X-Amz-Expires=7200", 1),
		"no signature":  strings.Split(signed, "?")[0],
	} {
		if status, _, body := get(t, changed); status != http.StatusForbidden || body == "012" {
			t.Errorf("%s: %d, want it refused", name, status)
		}
	}
}
