package deployed

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// Secrets reads the fields of one Secrets Manager entry, whose value is a JSON
// object of texts. The entry is read when a field is asked for first, and again
// after five minutes. It is used by pointer and may be used at once.
type Secrets struct {
	// Read is the GetSecretValue of a client of Secrets Manager.
	Read func(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	ID   string           // the entry's ARN
	Now  func() time.Time // nil = time.Now

	mu     sync.Mutex
	read   time.Time // when; zero = never
	fields map[string]secret.Text
}

const (
	// keepSecrets is how long what was read counts.
	keepSecrets = 5 * time.Minute
	// freshSecrets is how long it counts for one who asks for a fresh one, so that
	// a wrong secret does not read the entry with every call.
	freshSecrets = 10 * time.Second
)

// Get returns a field, "" if there is none. It implements connector.Ports.Secret.
// Its errors are those of awsfault; Invalid also if the value is no such JSON. If
// the entry cannot be read again, what was read before is returned.
func (s *Secrets) Get(ctx context.Context, name string, fresh bool) (secret.Text, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, keep := time.Now(), keepSecrets
	if s.Now != nil {
		now = s.Now()
	}
	if fresh {
		keep = freshSecrets
	}
	if s.read.IsZero() || now.Sub(s.read) >= keep {
		fields, err := s.load(ctx)
		if err != nil && (s.read.IsZero() || !fault.Is(err, fault.Transient) && !fault.Is(err, fault.Throttled)) {
			return "", err
		}
		if err == nil {
			s.fields, s.read = fields, now
		}
	}
	return s.fields[name], nil
}

func (s *Secrets) load(ctx context.Context) (map[string]secret.Text, error) {
	out, err := s.Read(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.ID})
	if err != nil {
		return nil, awsfault.Wrap(err, "Secrets Manager", "the connector's secret")
	}
	var texts map[string]string
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &texts) != nil { // its error would quote the value
		return nil, fault.New(fault.Invalid, `The value of the connector's secret in Secrets Manager is not a JSON object of texts. Store it as {"hubspotClientSecret": "…"}.`)
	}
	fields := make(map[string]secret.Text, len(texts))
	for name, text := range texts {
		fields[name] = secret.Text(text)
	}
	return fields, nil
}
