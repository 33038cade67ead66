package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"strings"

	"hubspotconnector/internal/activity"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/secret"
)

// told is how Notifications are stored. Fields may be added, never renamed or
// removed.
type told struct {
	Notifications
	Sealed []byte `json:"sealed,omitempty"`
}

// hook is what is sealed, likewise.
type hook struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

// Notifications returns what is stored, with the webhook's secrets; the zero
// Notifications if nothing is.
func (s *Store) Notifications(ctx context.Context) (Notifications, error) {
	var doc told
	version, err := s.load(ctx, notifications, &doc)
	if err != nil {
		return Notifications{}, err
	}
	doc.Version = version
	if len(doc.Sealed) > 0 {
		err = s.open(ctx, doc.Sealed, "webhook", func(plain []byte) error {
			var h hook
			err := json.Unmarshal(plain, &h)
			doc.WebhookURL, doc.Secret = secret.Text(h.URL), secret.Text(h.Secret)
			return err
		})
	}
	return doc.Notifications, err
}

// PutNotifications stores them: fault.Invalid names everything that is wrong,
// fault.Conflict says that they changed since they were read.
func (s *Store) PutNotifications(ctx context.Context, n Notifications, by string) (Notifications, error) {
	old, err := s.Notifications(ctx)
	if err != nil {
		return n, err
	}
	if err := stale(old.Version, n.Version); err != nil {
		return n, err
	}
	problems := cleanLists(&n.Success, &n.Partial, &n.Failure)
	if n.Threshold < 0 || n.Threshold > 1 || math.IsNaN(n.Threshold) {
		problems = append(problems, "The threshold is a share from 0 to 1.")
	}
	if problem := n.settleHook(old); problem != "" {
		problems = append(problems, problem)
	}
	if err := invalid(problems); err != nil {
		return n, err
	}
	doc := told{Notifications: n}
	if n.WebhookURL != "" {
		plain := activity.JSON(hook{URL: n.WebhookURL.Expose(), Secret: n.Secret.Expose()})
		if doc.Sealed, err = s.Sealer.Seal(ctx, about("webhook"), plain); err != nil {
			return n, fmt.Errorf("seal webhook: %w", err)
		}
	}
	err = s.save(ctx, change{
		sort: notifications, name: names[notifications], version: n.Version, stored: doc, before: old, after: n, by: by,
	})
	if err == nil {
		n.Version++
	}
	return n, err
}

// settleHook fills in what stays of the stored webhook, or says what is wrong.
func (n *Notifications) settleHook(old Notifications) (problem string) {
	if n.WebhookURL == "" && n.WebhookHost != "" {
		if n.WebhookHost != old.WebhookHost {
			return "Enter the whole URL of the webhook."
		}
		n.WebhookURL = old.WebhookURL
	}
	if n.WebhookURL == "" {
		n.WebhookHost, n.Secret = "", ""
		return ""
	}
	u, err := url.Parse(n.WebhookURL.Expose())
	if err != nil || u.Host == "" || u.User != nil || !SafeScheme(u) || len(n.WebhookURL) > 2000 {
		return "The webhook must be an https URL."
	}
	n.WebhookHost = u.Host
	if n.Secret == "" && n.WebhookHost == old.WebhookHost {
		n.Secret = old.Secret
	}
	if n.Secret == "" {
		return "Enter the secret with which the messages to the webhook are signed."
	}
	return ""
}

// most is how many addresses a list holds at most.
const most = 50

// cleanLists takes outer spaces, empty entries and repetitions out of lists of
// addresses, and returns what is wrong with them.
func cleanLists(lists ...*[]string) []string {
	var problems []string
	for _, list := range lists {
		seen, kept := map[string]bool{}, []string{}
		for _, address := range *list {
			address = strings.TrimSpace(address)
			if address == "" || seen[strings.ToLower(address)] {
				continue
			}
			seen[strings.ToLower(address)] = true
			kept = append(kept, address)
			if !IsAddress(address) {
				problems = append(problems, fmt.Sprintf("%.100q is not a mail address.", address))
			}
		}
		if len(kept) > most {
			problems = append(problems, fmt.Sprintf("A list holds at most %d addresses.", most))
		}
		if *list = kept; len(kept) == 0 {
			*list = nil
		}
	}
	return problems
}

// IsAddress reports whether a text is a bare mail address.
func IsAddress(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text && len(text) <= 254 && !strings.ContainsAny(text, "\r\n\"<>,; ")
}

func recipientsKey(o Owner) string { return recipients + o.What + "#" + o.ID }

// Recipients returns the lists of a job or chain, or fault.NotFound if it has none
// of its own.
func (s *Store) Recipients(ctx context.Context, o Owner) (Recipients, error) {
	var r Recipients
	version, err := s.load(ctx, recipientsKey(o), &r)
	if err == nil && version == 0 {
		err = fault.New(fault.NotFound, "The %s has no notification lists of its own.", o.What)
	}
	r.Version = version
	return r, err
}

// PutRecipients stores the lists of a job or chain, likewise.
func (s *Store) PutRecipients(ctx context.Context, o Owner, r Recipients, by string) (Recipients, error) {
	old, err := s.Recipients(ctx, o)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return r, err
	}
	if err := stale(old.Version, r.Version); err != nil {
		return r, err
	}
	if err := invalid(cleanLists(&r.Success, &r.Partial, &r.Failure)); err != nil {
		return r, err
	}
	err = s.save(ctx, change{
		sort: recipientsKey(o), name: "Notification of " + o.Name, version: r.Version, stored: r, before: old, after: r, by: by,
	})
	if err == nil {
		r.Version++
	}
	return r, err
}

// DropRecipients gives the job or chain the lists of the deployment again. One
// that has none of its own is no error.
func (s *Store) DropRecipients(ctx context.Context, o Owner, by string) error {
	old, err := s.Recipients(ctx, o)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.save(ctx, change{sort: recipientsKey(o), name: "Notification of " + o.Name, version: old.Version, before: old, by: by})
}
