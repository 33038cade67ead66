package s3blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/oklog/ulid/v2"

	"hubspotconnector/internal/blob"
	"hubspotconnector/internal/fault"
)

const (
	// partBytes is what of a file is held in memory. A larger file is sent in
	// parts, at most 10,000 (S3 user guide, multipart upload limits, November 2026),
	// so a file may have 78 GB.
	partBytes = 8 << 20
	// tries is how often a file is put while another one is being put in its place.
	tries = 5
	// clearIn is how long removing the parts of a failed upload may take. What is
	// left of them the bucket's lifecycle removes.
	clearIn = 10 * time.Second
)

// mark names the metadata with the mark of a creation.
const mark = "mark"

// Create implements blob.Bucket. A file of up to 8 MB is one call.
func (b *Bucket) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	u := &upload{Bucket: b, ctx: ctx, key: name, metadata: map[string]string{mark: ulid.Make().String()}}
	err := write(u)
	if u.err != nil {
		err = u.err // whatever the writer made of it
	}
	switch {
	case err != nil && u.id == nil:
		return err
	case err == nil && u.id == nil:
		return u.whole()
	case err == nil:
		err = u.complete()
	}
	if err != nil {
		u.clear()
	}
	return err
}

// upload is a file on its way. It is the io.Writer of one Create.
type upload struct {
	*Bucket
	ctx      context.Context //nolint:containedctx // that of the Create it is a part of
	key      string
	metadata map[string]string
	buf      bytes.Buffer
	id       *string // of the multipart upload; nil = none yet
	parts    []types.CompletedPart
	err      error // of a part; nothing more is taken then
}

// Write sends a part when there is enough for one.
func (u *upload) Write(p []byte) (int, error) {
	taken := 0
	for len(p) > 0 && u.err == nil {
		n := min(len(p), partBytes-u.buf.Len())
		u.buf.Write(p[:n])
		p, taken = p[n:], taken+n
		if u.buf.Len() == partBytes && len(p) > 0 {
			u.err = u.part()
		}
	}
	return taken, u.err
}

// part sends what is in the buffer.
func (u *upload) part() error {
	if u.id == nil {
		out, err := u.client.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{Bucket: &u.name, Key: &u.key, Metadata: u.metadata})
		if err != nil {
			return wrap(err)
		}
		u.id = out.UploadId
	}
	number := aws.Int32(int32(len(u.parts) + 1)) //nolint:gosec // at most 10,000 are taken
	out, err := u.client.UploadPart(u.ctx, &s3.UploadPartInput{
		Bucket: &u.name, Key: &u.key, UploadId: u.id, PartNumber: number, Body: bytes.NewReader(u.buf.Bytes()),
	})
	if err != nil {
		return wrap(err)
	}
	u.parts = append(u.parts, types.CompletedPart{
		PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	})
	u.buf.Reset()
	return nil
}

// complete makes the parts a file.
func (u *upload) complete() error {
	if u.buf.Len() > 0 {
		if err := u.part(); err != nil {
			return err
		}
	}
	_, err := u.client.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.name, Key: &u.key, UploadId: u.id, IfNoneMatch: aws.String("*"), MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if err == nil {
		return nil
	}
	return u.judge(err)
}

// whole puts a small file. S3 asks for a repetition where another one is being
// put in the same place.
func (u *upload) whole() error {
	for n := 1; ; n++ {
		_, err := u.client.PutObject(u.ctx, &s3.PutObjectInput{
			Bucket: &u.name, Key: &u.key, IfNoneMatch: aws.String("*"), Metadata: u.metadata, Body: bytes.NewReader(u.buf.Bytes()),
		})
		if err == nil {
			return nil
		}
		if err := u.judge(err); n == tries || !isCrossed(err) {
			return err
		}
		if err := u.sleep(u.ctx, time.Duration(n)*50*time.Millisecond); err != nil {
			return wrap(err)
		}
	}
}

// isCrossed reports whether another one was writing the same file.
func isCrossed(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ConditionalRequestConflict"
}

// judge says what an error of the last call means. It is nil if the file is
// there, and is ours: then an earlier try had come through.
func (u *upload) judge(err error) error {
	meaning := wrap(err)
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "PreconditionFailed" && api.ErrorCode() != "NoSuchUpload" {
		return meaning
	}
	out, err := u.client.HeadObject(u.ctx, &s3.HeadObjectInput{Bucket: &u.name, Key: &u.key})
	switch {
	case err == nil && out.Metadata[mark] == u.metadata[mark]:
		return nil
	case err == nil:
		return fault.Wrap(meaning, fault.Conflict, "This file exists already.")
	case fault.Is(wrap(err), fault.NotFound): // deleted meanwhile
		return meaning
	}
	return fmt.Errorf("look for %s: %w", u.key, wrap(err))
}

// clear removes the parts of an upload that came to nothing.
func (u *upload) clear() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), clearIn)
	defer cancel()
	_, _ = u.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.name, Key: &u.key, UploadId: u.id})
}
