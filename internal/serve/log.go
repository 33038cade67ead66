package serve

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// NewLog returns a logger that writes one JSON line each, from level on. Lines
// of its …Context methods say which event, run and part they belong to.
func NewLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(contextLog{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

type attrsKey struct{}

// logged returns a context whose log lines have these attributes too.
func logged(ctx context.Context, attrs ...slog.Attr) context.Context {
	if len(attrs) == 0 {
		return ctx
	}
	known, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	return context.WithValue(ctx, attrsKey{}, append(slices.Clone(known), attrs...))
}

// contextLog adds the attributes of the context.
type contextLog struct{ slog.Handler }

// Handle implements slog.Handler.
func (h contextLog) Handle(ctx context.Context, r slog.Record) error {
	attrs, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	r.AddAttrs(attrs...)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h contextLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h contextLog) WithGroup(name string) slog.Handler { return contextLog{h.Handler.WithGroup(name)} }

// runtimeLog takes what aws-lambda-go writes to the standard logger. It repeats
// the error of each invocation, which Task has logged.
type runtimeLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l runtimeLog) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, []byte(`{"errorMessage":`)) {
		l.log.ErrorContext(context.Background(), "lambda runtime", "text", strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
