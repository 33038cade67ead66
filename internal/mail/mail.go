// Package mail is the port for messages to people.
package mail

import "context"

// Message is what a person reads. It holds counts and reasons, no record values.
type Message struct {
	// To are the addresses of those who want to know; none = those of the Sender.
	To      []string
	Subject string
	Body    string // plain text
}

// Sender sends messages to those who want to know how runs end. An id names the
// message: sending one id again may deliver it again. A message to nobody is
// sent to nobody. Errors are for the log: a failing message fails no run.
type Sender interface {
	Send(ctx context.Context, id string, m Message) error
}
