package config_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"hubspotconnector/internal/fault"
	"hubspotconnector/internal/job"
	"hubspotconnector/internal/mapping"
	"hubspotconnector/internal/mapping/condition"
)

func TestExportThenApplyIsTheIdentity(t *testing.T) {
	w := newWorld(t, "H$S_9", 90210)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(
			rapid.SampledFrom([]string{
				"", " ", "null", "~", "true", "no", "1", "007", "1e3", "0x1F", "2026-11-30", "06:30", "a: b", "- a", "#a", "a #b", "'", `"`, `\`, `a\nb`,
				"{a}", "[a]", "*a", "&a", "!a", "%a", "@a", "`a", "| a", "> a", "?", ":", "-", "---", "...", "<<", "=", " a", "a ", "\ta", "a\nb", "\n", "a\n", "\na", "a\n\nb ",
				"$", "$$", "${portal}", "${connection}", "ü", "日本", "a_90210", "a_90210__gc", "a_H$S_9", "_90210", "90210", "\u00a0", "\u2028", "\U0001F600",
				"\u007f", "a\u0085", "\u0099", "\ufeff", "\uffff",
			}),
			rapid.StringOfN(rapid.RuneFrom([]rune("ab 0_$:#-'\"{}[],&*!|>%@`\\\n\tü")), 0, 12, -1),
		)
		text := func(label string) string { return word.Draw(t, label) }
		n++
		value := text("default")
		j := job.Job{Name: fmt.Sprintf("%d", n) + strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, text("name")), Connection: w.conn.ID, Mapping: mapping.Config{
			Source: text("source"), Target: text("target"), Fields: []mapping.Field{{Name: text("field"), Label: text("label")}},
			Filter: condition.Filter{Conditions: []condition.Condition{{Field: text("condition"), Op: condition.In, Value: []string{text("v1"), text("v2")}}}},
			Direct: []mapping.Direct{{From: text("from"), To: text("to"), Default: &value}},
		}}
		saved, err := w.Jobs.Save(context.Background(), j, "ann")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := w.Export(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.IndexFunc(doc, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }); at >= 0 {
			t.Fatalf("byte %d is not allowed in YAML:\n%q", at, doc)
		}
		changes, err := w.Apply(context.Background(), doc, "bob")
		if err != nil || len(changes) != 0 {
			t.Fatalf("%+v changed: %v, %v\n%s", saved, lines(changes), err, doc)
		}
		if err := w.Jobs.Delete(context.Background(), saved.ID, "ann"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDamagedFileIsRefusedOrRead(t *testing.T) {
	w := newWorld(t, "HS", 90210)
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(twoJobs)
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			from := rapid.IntRange(0, len(text)).Draw(t, "from")
			to := min(from+rapid.IntRange(0, 20).Draw(t, "length"), len(text))
			with := rapid.SampledFrom([]string{"", "\n", " ", "- ", ": ", "[", "}", "&a ", "*a", "!!int ", "? ", "<<: ", "|\n", "\"", "'", "\t", "\x00", "\xff", "---\n"}).Draw(t, "with")
			text = []byte(string(text[:from]) + with + string(text[to:]))
		}
		if _, err := w.Diff(context.Background(), text); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("got %v for\n%s", err, text)
		}
	})
}
