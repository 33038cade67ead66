package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// fresh is how long what was read counts as what is stored.
const fresh = 10 * time.Second

// cache is the destination as it was read last. Unsealing costs a call to the key
// service, so it is done once a version.
type cache struct {
	sync.Mutex
	at    time.Time
	known bool
	Destination
}

// document is a stored destination. Fields may be added, never renamed or removed.
type document struct {
	Tenant
	Sealed []byte `json:"sealed"`
}

// secrets is what is sealed, likewise.
type secrets struct {
	AccessKey    string `json:"accessKey,omitempty"`
	ClientSecret string `json:"clientSecret,omitempty"`
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Destination returns the stored destination with its secrets, or fault.NotFound.
// It is for the client alone. What another process stored is seen within 10
// seconds, or at once if afresh is asked for.
func (s *Store) Destination(ctx context.Context, afresh bool) (Destination, error) {
	s.cache.Lock()
	defer s.cache.Unlock()
	if !s.cache.known || afresh || s.now().Sub(s.cache.at) >= fresh {
		if err := s.read(ctx); err != nil {
			return Destination{}, err
		}
	}
	if s.cache.Version == 0 {
		return Destination{}, fault.New(fault.NotFound, "Gainsight is not set up. Enter the tenant under Settings.")
	}
	return s.cache.Destination, nil
}

// read fills the cache, which the caller has locked.
func (s *Store) read(ctx context.Context) error {
	var doc document
	at := s.now()
	version, err := s.load(ctx, destination, &doc)
	if err != nil {
		return err
	}
	if version != s.cache.Version || !s.cache.known {
		d := Destination{URL: doc.URL, ClientID: doc.ClientID, Version: version}
		if version > 0 {
			if err := s.open(ctx, doc.Sealed, "destination", func(plain []byte) error {
				var sealed secrets
				err := json.Unmarshal(plain, &sealed)
				d.AccessKey, d.ClientSecret = secret.Text(sealed.AccessKey), secret.Text(sealed.ClientSecret)
				return err
			}); err != nil {
				return err
			}
		}
		s.cache.Destination = d
	}
	s.cache.known, s.cache.at = true, at
	return nil
}

func about(field string) map[string]string {
	return map[string]string{"setting": "gainsight", "field": field}
}

func (s *Store) open(ctx context.Context, sealed []byte, field string, use func([]byte) error) error {
	plain, err := s.Sealer.Open(ctx, about(field), sealed)
	if err != nil {
		return fmt.Errorf("open %s: %w", field, err)
	}
	if err := use(plain); err != nil {
		return fmt.Errorf("decode %s: %w", field, err)
	}
	return nil
}

// Tenant returns what may be shown of the destination; the zero Tenant if none is
// stored.
func (s *Store) Tenant(ctx context.Context) (Tenant, error) {
	var doc document
	version, err := s.load(ctx, destination, &doc)
	doc.Version = version
	return doc.Tenant, err
}

// PutDestination stores the destination. An empty secret keeps the stored one,
// unless the URL or the client is another: a secret is never sent to a host that
// it was not entered for. With an access key there is no client, and the other
// way round. It is fault.Invalid if it is not complete, and fault.Conflict if
// what is stored has another Version.
func (s *Store) PutDestination(ctx context.Context, d Destination, by string) (Tenant, error) {
	old, err := s.Tenant(ctx)
	if err != nil {
		return old, err
	}
	if err := stale(old.Version, d.Version); err != nil {
		return old, err
	}
	if d, err = s.complete(ctx, d, old); err != nil {
		return old, err
	}
	plain, err := json.Marshal(secrets{AccessKey: d.AccessKey.Expose(), ClientSecret: d.ClientSecret.Expose()})
	if err != nil {
		return old, fmt.Errorf("encode destination: %w", err)
	}
	doc := document{Tenant: Tenant{
		URL: d.URL, ClientID: d.ClientID, HasAccessKey: d.AccessKey != "", HasSecret: d.ClientSecret != "", Version: d.Version + 1,
	}}
	if doc.Sealed, err = s.Sealer.Seal(ctx, about("destination"), plain); err != nil {
		return old, fmt.Errorf("seal destination: %w", err)
	}
	err = s.save(ctx, change{
		sort: destination, name: names[destination], version: d.Version, stored: doc, before: old, after: doc.Tenant, by: by,
	})
	s.cache.Lock()
	s.cache.known = false
	s.cache.Unlock()
	if err != nil {
		return old, err
	}
	return doc.Tenant, nil
}

// complete checks a destination and fills in the secrets that stay.
func (s *Store) complete(ctx context.Context, d Destination, old Tenant) (Destination, error) {
	origin, problem := SafeOrigin(d.URL)
	if problem != "" {
		return d, fault.New(fault.Invalid, "The tenant URL must be %s.", problem)
	}
	d.URL, d.ClientID = origin, strings.TrimSpace(d.ClientID)
	switch {
	case d.AccessKey != "" && (d.ClientID != "" || d.ClientSecret != ""):
		return d, fault.New(fault.Invalid, "Enter either an access key or an OAuth client, not both.")
	case d.ClientSecret != "" && d.ClientID == "":
		return d, fault.New(fault.Invalid, "Enter the client id that the client secret belongs to.")
	case d.AccessKey != "" || d.ClientSecret != "":
		return d, nil
	}
	same := old.Version > 0 && old.URL == d.URL && old.ClientID == d.ClientID
	if !same {
		return d, fault.New(fault.Invalid, "Enter the access key, or the client id and client secret: they are entered anew for another tenant or client.")
	}
	stored, err := s.Destination(ctx, true)
	if err != nil {
		return d, err
	}
	d.AccessKey, d.ClientSecret = stored.AccessKey, stored.ClientSecret
	return d, nil
}

// SafeOrigin returns an origin to which secrets may be sent, without a slash at
// its end, or says what it must be: "" if it is fine.
func SafeOrigin(value string) (origin, problem string) {
	value = strings.TrimSuffix(strings.TrimSpace(value), "/")
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Path != "" || strings.ContainsAny(value, "?#") || u.User != nil || len(value) > 200:
		return value, "an origin such as https://example.com, without a path"
	case !SafeScheme(u):
		return value, "an https origin; http is for this machine only"
	}
	return value, ""
}

// SafeScheme reports whether a URL is https, or http on this machine.
func SafeScheme(u *url.URL) bool {
	host, ip := u.Hostname(), net.ParseIP(u.Hostname())
	local := host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback() // RFC 6761
	return u.Scheme == "https" || u.Scheme == "http" && local
}
