// Package sesmail sends messages through Amazon SES.
//
// Each address gets a message of its own, so that one that cannot be reached
// keeps no other from it. SES sends whatever it is given: a message that is sent
// again arrives again. Its id is the tag "message" of what SES reports about it.
package sesmail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"

	"hubspotconnector/internal/awsfault"
	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/mail"
)

// Options say who sends and who is told.
type Options struct {
	// From is the sender's address; it, or its domain, is verified in SES. Required.
	From string
	// To are told what names nobody.
	To []string
}

// Sender is a mail.Sender.
type Sender struct {
	send func(context.Context, *sesv2.SendEmailInput, ...func(*sesv2.Options)) (*sesv2.SendEmailOutput, error)
	o    Options
}

var _ mail.Sender = (*Sender)(nil)

// New returns a sender.
func New(client *sesv2.Client, o Options) *Sender { return &Sender{send: client.SendEmail, o: o} }

// Send implements mail.Sender. After an error some may have been told. It is
// fault.Invalid if an address is not verified or wrong, or SES does not let the
// account send; Throttled and Transient otherwise.
func (s *Sender) Send(ctx context.Context, id string, m mail.Message) error {
	to := m.To
	if len(to) == 0 {
		to = s.o.To
	}
	var errs []error
	for i, address := range to {
		if slices.Contains(to[:i], address) {
			continue
		}
		if err := s.one(ctx, id, address, m); err != nil {
			errs = append(errs, err)
		}
	}
	return joined(errs)
}

// joined is one error for all addresses, of the first one's kind.
func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	var messages []string
	for _, err := range errs {
		if text := fault.MessageOf(err); !slices.Contains(messages, text) {
			messages = append(messages, text)
		}
	}
	return fault.Wrap(errors.Join(errs...), fault.KindOf(errs[0]), "%s", strings.Join(messages, " "))
}

func (s *Sender) one(ctx context.Context, id, address string, m mail.Message) error {
	text := func(data string) *types.Content { return &types.Content{Data: &data, Charset: aws.String("UTF-8")} }
	_, err := s.send(ctx, &sesv2.SendEmailInput{
		FromEmailAddress: &s.o.From,
		Destination:      &types.Destination{ToAddresses: []string{address}},
		Content:          &types.EmailContent{Simple: &types.Message{Subject: text(m.Subject), Body: &types.Body{Text: text(m.Body)}}},
		EmailTags:        []types.MessageTag{{Name: aws.String("message"), Value: aws.String(tag(id))}},
	})
	if err == nil {
		return nil
	}
	return fmt.Errorf("send message %s: %w", id, s.wrap(err, address))
}

// maxTag is how long a tag's value may be (SES API v2 reference, MessageTag,
// November 2026). It holds letters, digits, _ and - of ASCII.
const maxTag = 256

func tag(id string) string {
	value := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-') {
			return r
		}
		return '_'
	}, id)
	return value[:min(len(value), maxTag)]
}

func (s *Sender) wrap(err error, address string) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return awsfault.Wrap(err, "SES", "the sender's address")
	}
	switch api.ErrorCode() {
	case "MessageRejected":
		return s.rejected(err, api.ErrorMessage(), address)
	case "MailFromDomainNotVerifiedException":
		return fault.Wrap(err, fault.Invalid, "SES does not know the MAIL FROM domain of %s any more. Verify it among SES's identities.", s.o.From)
	case "SendingPausedException", "AccountSuspendedException":
		return fault.Wrap(err, fault.Invalid, "SES does not let this AWS account send mail. Its account page in SES says why, and what to do.")
	case "LimitExceededException":
		return fault.Wrap(err, fault.Throttled, "SES sends no more mail of this AWS account today. Raise its sending quota, or wait.")
	case "BadRequestException":
		return fault.Wrap(err, fault.Invalid, "SES does not take a message from %s to %s. Check both addresses.", s.o.From, address)
	}
	return awsfault.Wrap(err, "SES", "the sender's address")
}

// rejected tells which address SES does not know: it names those in its message.
func (s *Sender) rejected(err error, message, address string) error {
	if !strings.Contains(message, "not verified") {
		return fault.Wrap(err, fault.Invalid, "SES rejected a message to %s.", address)
	}
	var unknown []string
	for _, a := range []string{s.o.From, address} {
		if strings.Contains(strings.ToLower(message), strings.ToLower(a)) && !slices.Contains(unknown, a) {
			unknown = append(unknown, a)
		}
	}
	return s.unverified(err, unknown...)
}

// unverified is the error of addresses that SES does not know.
func (s *Sender) unverified(err error, addresses ...string) error {
	what := "the addresses of sender and recipient"
	if len(addresses) > 0 {
		what = strings.Join(addresses, " and ")
	}
	if slices.Equal(addresses, []string{s.o.From}) {
		return fault.Wrap(err, fault.Invalid, "SES may not send from %s in this region: verify the address, or its domain, among SES's identities.", what)
	}
	return fault.Wrap(err, fault.Invalid, "SES may not send to %s in this region while the AWS account is in SES's sandbox: verify the address among SES's identities, or request production access.", what)
}
