// Package kmssealer seals secrets under a key that never leaves AWS KMS.
//
// Each secret gets a data key of its own, which KMS makes and wraps, and is
// sealed with it by AES-256-GCM; so a secret may have any size (KMS itself
// encrypts 4 KB). What a secret is about is the encryption context: it is bound
// to the wrapped key, and stands in CloudTrail with each use, so it holds no
// secret. Sealed bytes are: the version, the wrapped key's length and the wrapped
// key, all bound to what follows, then nonce, text and tag.
package kmssealer

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// version is the first byte of what is sealed.
const version = 1

// Sealer is a secret.Sealer. Besides the port's errors there are fault.Transient
// and Throttled, and Invalid if the key cannot be used: it is disabled or to be
// deleted, or its policy, a grant or the role forbids it.
type Sealer struct {
	client calls
	key    string
}

// calls are the operations that are used. The client is not kept: beside
// libraries that look methods up by name, the linker would keep all of its methods.
type calls struct {
	GenerateDataKey func(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error)
	Decrypt         func(context.Context, *kms.DecryptInput, ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

var _ secret.Sealer = (*Sealer)(nil)

// New returns a sealer with a symmetric KMS key, by its id, ARN or alias. It
// needs to be allowed kms:GenerateDataKey and kms:Decrypt.
func New(client *kms.Client, keyID string) *Sealer {
	return &Sealer{client: calls{client.GenerateDataKey, client.Decrypt}, key: keyID}
}

// Seal implements secret.Sealer. It calls KMS once; each call returns other bytes.
func (s *Sealer) Seal(ctx context.Context, about map[string]string, plain []byte) ([]byte, error) {
	out, err := s.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &s.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: about})
	if err != nil {
		return nil, wrap(err)
	}
	defer clear(out.Plaintext)
	aead, err := newAEAD(out.Plaintext)
	if err != nil {
		return nil, err
	}
	header := binary.AppendUvarint([]byte{version}, uint64(len(out.CiphertextBlob)))
	header = append(header, out.CiphertextBlob...)
	return aead.Seal(header, nil, plain, header), nil //nolint:gosec // the cipher makes its nonce itself
}

// Open implements secret.Sealer. It calls KMS once.
func (s *Sealer) Open(ctx context.Context, about map[string]string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != version {
		return nil, unreadable(errors.New("unknown form"))
	}
	size, n := binary.Uvarint(sealed[1:])
	if n <= 0 || size == 0 || size > uint64(len(sealed)-1-n) { //nolint:gosec // n is at most len(sealed)-1
		return nil, unreadable(errors.New("cut off"))
	}
	start := 1 + n
	end := start + int(size) //nolint:gosec // at most len(sealed)
	out, err := s.client.Decrypt(ctx, &kms.DecryptInput{KeyId: &s.key, CiphertextBlob: sealed[start:end], EncryptionContext: about})
	if err != nil {
		return nil, wrap(err)
	}
	defer clear(out.Plaintext)
	aead, err := newAEAD(out.Plaintext)
	if err != nil {
		return nil, unreadable(err)
	}
	plain, err := aead.Open(nil, nil, sealed[end:], sealed[:end])
	if err != nil {
		return nil, unreadable(err)
	}
	return plain, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use data key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("use data key: %w", err)
	}
	return aead, nil
}

func wrap(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "InvalidCiphertextException", "IncorrectKeyException": // changed, about something else, or of another key
			return unreadable(err)
		case "DisabledException", "KMSInvalidStateException":
			return fault.Wrap(err, fault.Invalid, "The KMS key that seals secrets is disabled or about to be deleted. Enable the key, or cancel its deletion.")
		case "InvalidKeyUsageException":
			return fault.Wrap(err, fault.Invalid, "The KMS key cannot seal secrets: use a symmetric key for encrypting and decrypting.")
		}
	}
	return awsfault.Wrap(err, "KMS", "the key that seals secrets")
}

func unreadable(err error) error {
	return fault.Wrap(err, fault.Invalid, "A stored secret cannot be opened with this KMS key: use the key that sealed it, or enter the secret again.")
}
