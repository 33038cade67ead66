// Package s3blob keeps files in one S3 bucket, an object for each.
//
// A file is created under the condition that there is none (If-None-Match).
// Each object carries a mark of its own as metadata: a creation that is sent
// again, because its answer was lost, finds its own mark and knows that it has
// happened, so nobody takes his own file for another's.
package s3blob

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/clock"
	"hubspotconnector/internal/fault"
)

// Bucket is a blob.Bucket in S3. Use New.
type Bucket struct {
	client calls
	name   string
	sleep  func(ctx context.Context, d time.Duration) error
}

// calls are the operations that are used. The client is not kept: beside
// libraries that look methods up by name, the linker would keep all of its methods.
type calls struct {
	GetObject               func(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	HeadObject              func(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	PutObject               func(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	DeleteObject            func(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListObjectsV2           func(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	CreateMultipartUpload   func(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error)
	UploadPart              func(context.Context, *s3.UploadPartInput, ...func(*s3.Options)) (*s3.UploadPartOutput, error)
	CompleteMultipartUpload func(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload    func(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
	PresignGetObject        func(context.Context, *s3.GetObjectInput, ...func(*s3.PresignOptions)) (*v4.PresignedHTTPRequest, error)
}

var _ blob.Bucket = (*Bucket)(nil)

// Options of a bucket. The zero Options are right for use.
type Options struct {
	// Sleep waits between two tries of a creation that met another one; nil = a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// New returns the bucket of a name. Nothing is called. The client's own retries
// may be on. Its credentials may read, write, delete and list: if they may not
// list, S3 says of a missing file that access is denied.
func New(client *s3.Client, name string, o Options) *Bucket {
	b := &Bucket{name: name, sleep: o.Sleep, client: calls{
		client.GetObject, client.HeadObject, client.PutObject, client.DeleteObject, client.ListObjectsV2, client.CreateMultipartUpload,
		client.UploadPart, client.CompleteMultipartUpload, client.AbortMultipartUpload, s3.NewPresignClient(client).PresignGetObject,
	}}
	if b.sleep == nil {
		b.sleep = clock.Sleep
	}
	return b
}

// Open implements blob.Bucket. A stream that breaks off ends with a
// fault.Transient.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := blob.CheckName(name); err != nil {
		return nil, err
	}
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: &name})
	if err != nil {
		return nil, wrap(err)
	}
	return &content{out.Body}, nil
}

// content is the stream of a file.
type content struct{ io.ReadCloser }

func (c *content) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fault.Wrap(err, fault.Transient, "Reading a file from S3 broke off. It is tried again.")
	}
	return n, err
}

// List implements blob.Bucket, by pages of 1,000.
func (b *Bucket) List(ctx context.Context, prefix string) ([]blob.Info, error) {
	if err := blob.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var files []blob.Info
	for in := (&s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix}); ; {
		page, err := b.client.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, wrap(err)
		}
		for _, o := range page.Contents {
			files = append(files, blob.Info{Name: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)})
		}
		if in.ContinuationToken = page.NextContinuationToken; in.ContinuationToken == nil {
			return files, nil
		}
	}
}

// Delete implements blob.Bucket.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &name})
	return wrap(err)
}

// maxLink is the longest life of a signed link (S3 API reference, Signature
// Version 4 query parameters, November 2026).
const maxLink = 7 * 24 * time.Hour

// Link implements blob.Bucket: a signed URL, for a week at most. It ends earlier
// if the credentials that sign it do; those of a Lambda function last for hours.
func (b *Bucket) Link(ctx context.Context, name, as string, valid time.Duration) (string, error) {
	if err := blob.CheckName(name); err != nil {
		return "", err
	}
	if _, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &name}); err != nil {
		return "", wrap(err)
	}
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": as})
	request, err := b.client.PresignGetObject(ctx, &s3.GetObjectInput{
		Bucket: &b.name, Key: &name, ResponseContentDisposition: &disposition,
	}, s3.WithPresignExpires(max(time.Second, min(valid, maxLink))))
	if err != nil {
		return "", wrap(err)
	}
	return request.URL, nil
}

// wrap gives an error of a call its kind. A HEAD has no body, so its code is a
// word for the status.
func wrap(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchKey", "NotFound":
			return fault.Wrap(err, fault.NotFound, "There is no such file (any more).")
		case "PreconditionFailed":
			return fault.Wrap(err, fault.Conflict, "This file exists already.")
		case "ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "BadDigest", "XAmzContentChecksumMismatch", "NoSuchUpload":
			return fault.Wrap(err, fault.Transient, "S3 could not finish a call. It is tried again.")
		case "MovedPermanently":
			return fault.Wrap(err, fault.Invalid, "S3 keeps the bucket in another region. Set the region in which it was deployed.")
		case "Forbidden":
			return fault.Wrap(err, fault.Invalid, "S3 does not let this function use the bucket. Add the permission to its role, and check the key's policy.")
		}
		var answer *smithyhttp.ResponseError
		if errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusInsufficientStorage {
			return fault.Wrap(err, fault.Invalid, "The bucket is full. Make room in it, or raise its limit.")
		}
	}
	return awsfault.Wrap(err, "S3", "the bucket")
}
