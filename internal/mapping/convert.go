package mapping

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hubspotconnector/internal/mapping/condition"
	"hubspotconnector/internal/record"
)

// checked returns the text if it is not longer than the field.
func checked(s string, to record.Field) (any, *misfit) {
	if to.Length > 0 && len(s) > to.Length && utf8.RuneCountInString(s) > to.Length {
		return nil, &misfit{record.TooLong, fmt.Sprintf("has %d characters, and the field holds %d.", utf8.RuneCountInString(s), to.Length)}
	}
	return s, nil
}

func bad(reason string) *misfit { return &misfit{record.BadValue, reason} }

func toText(_, to record.Field) converter {
	return func(s string) (any, *misfit) { return checked(s, to) }
}

// toNumber keeps the digits as they are written: a large id must not lose any.
func toNumber(_, _ record.Field) converter {
	return func(s string) (any, *misfit) {
		if _, ok := condition.ParseNumber(s); !ok {
			return nil, bad("is not a number such as 1800.5.")
		}
		return json.Number(strings.TrimSpace(s)), nil
	}
}

func toBoolean(_, _ record.Field) converter {
	return func(s string) (any, *misfit) {
		v, ok := condition.ParseBool(s)
		if !ok {
			return nil, bad("is neither true nor false.")
		}
		return v, nil
	}
}

// byEpoch says whether a number in the field may be milliseconds.
func byEpoch(from record.Field) bool { return from.Type != record.String }

func toDate(from, _ record.Field) converter {
	epoch, utc := byEpoch(from), from.Type == record.DateTime
	return func(s string) (any, *misfit) {
		m, ok := condition.ParseMoment(s, epoch)
		if !ok {
			return nil, bad("is not a date such as 2026-11-30.")
		}
		day := m.Written
		if utc {
			day = m.Day()
		}
		return time.Unix(day*24*60*60, 0).UTC().Format(time.DateOnly), nil
	}
}

// dateTime is the form in which Gainsight takes a DATETIME (REST API, data
// types, November 2026).
const dateTime = "2006-01-02T15:04:05.000-0700"

func toDateTime(from, _ record.Field) converter {
	epoch, day := byEpoch(from), from.Type == record.Date
	return func(s string) (any, *misfit) {
		m, ok := condition.ParseMoment(s, epoch)
		if !ok {
			return nil, bad("is not a date with time such as 2026-11-30T15:04:05Z.")
		}
		at := time.UnixMilli(m.Milli)
		if day {
			at = time.Unix(m.Written*24*60*60, 0)
		}
		return at.UTC().Format(dateTime), nil
	}
}

// labels returns what people see for an item of the source. Records may hold
// items that are no options; those are their own label.
func labels(from record.Field) func(item string) string {
	byValue := make(map[string]string, len(from.Options))
	for _, o := range from.Options {
		if o.Label != "" {
			byValue[strings.ToLower(o.Value)] = o.Label
		}
	}
	return func(item string) string {
		item = strings.TrimSpace(item)
		if label, ok := byValue[strings.ToLower(item)]; ok {
			return label
		}
		return item
	}
}

func noItem() *misfit { return bad("has no item.") }

func toLabel(from, to record.Field) converter {
	label := labels(from)
	return func(s string) (any, *misfit) {
		if strings.TrimSpace(s) == "" {
			return nil, noItem()
		}
		return checked(label(s), to)
	}
}

func toLabels(from, to record.Field) converter {
	label := labels(from)
	return func(s string) (any, *misfit) {
		items := condition.Items(s)
		if len(items) == 0 {
			return nil, noItem()
		}
		for i, item := range items {
			items[i] = label(item)
		}
		return checked(strings.Join(items, "; "), to)
	}
}

// known returns the target's item for the label of a source item, as the target
// writes it. Items are found by label or value without case; inactive ones are
// not found.
func known(to record.Field) func(label string) (string, *misfit) {
	items := map[string]string{}
	for _, o := range to.Options {
		if o.Active {
			items[strings.ToLower(o.Value)] = o.Label
		}
	}
	for _, o := range to.Options {
		if o.Active {
			items[strings.ToLower(o.Label)] = o.Label
		}
	}
	return func(label string) (string, *misfit) {
		if len(to.Options) == 0 {
			return label, nil
		}
		if item, ok := items[strings.ToLower(label)]; ok {
			return item, nil
		}
		return "", &misfit{record.UnknownItem, "is not an active item of the dropdown list."}
	}
}

func toItem(from, to record.Field) converter {
	label, item := labels(from), known(to)
	return func(s string) (any, *misfit) {
		if strings.TrimSpace(s) == "" {
			return nil, noItem()
		}
		v, wrong := item(label(s))
		if wrong != nil {
			return nil, wrong
		}
		return v, nil
	}
}

func toItems(from, to record.Field) converter {
	label, item := labels(from), known(to)
	return func(s string) (any, *misfit) {
		var all []string
		seen := map[string]bool{}
		for _, one := range condition.Items(s) {
			v, wrong := item(label(one))
			if wrong != nil {
				return nil, wrong
			}
			if !seen[v] {
				seen[v] = true
				all = append(all, v)
			}
		}
		if len(all) == 0 {
			return nil, noItem()
		}
		return all, nil
	}
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func toEmail(_, to record.Field) converter {
	return func(s string) (any, *misfit) {
		s = strings.TrimSpace(s)
		local, domain, _ := strings.Cut(s, "@")
		host, top, _ := cutLast(domain, ".")
		if local == "" || host == "" || top == "" || strings.Contains(domain, "@") || strings.ContainsFunc(s, blank) {
			return nil, bad("is not an e-mail address such as ann@example.com.")
		}
		return checked(s, to)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func toURL(_, to record.Field) converter {
	return func(s string) (any, *misfit) {
		s = strings.TrimSpace(s)
		_, err := url.Parse(s)
		if err != nil || !strings.Contains(s, ".") || strings.ContainsFunc(s, blank) {
			return nil, bad("is not a web address such as https://example.com.")
		}
		return checked(s, to)
	}
}

func alphanumeric(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// toGSID takes letters and digits: GSIDs have 36 of them as a rule, not always.
func toGSID(_, _ record.Field) converter {
	return func(s string) (any, *misfit) {
		if s = strings.TrimSpace(s); !alphanumeric(s) {
			return nil, bad("is not a GSID, which has letters and digits only.")
		}
		return s, nil
	}
}

func toSFDCID(_, _ record.Field) converter {
	return func(s string) (any, *misfit) {
		if s = strings.TrimSpace(s); !alphanumeric(s) || len(s) != 15 && len(s) != 18 {
			return nil, bad("is not a Salesforce id, which has 15 or 18 letters and digits.")
		}
		return s, nil
	}
}

// textOf is the text form of a converted value, as the source would write it.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case []string:
		return strings.Join(v, ";")
	}
	return fmt.Sprint(v)
}
