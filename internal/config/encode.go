package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// encoder writes a form as YAML in block style, its fields in their order.
// Texts that could be read as something else stand in double quotes: no text may
// change on its way through a file.
type encoder struct{ bytes.Buffer }

func encode(f file) []byte {
	var e encoder
	e.object(reflect.ValueOf(f), 0)
	return e.Bytes()
}

const indent = "  "

// object writes the fields of a struct, each in a line at the depth; the first
// one continues the line that was begun.
func (e *encoder) object(v reflect.Value, depth int) {
	first := true
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		if name == "-" || options != "" && (field.IsZero() || field.Kind() == reflect.Slice && field.Len() == 0) {
			continue
		}
		if !first {
			_, _ = e.WriteString(strings.Repeat(indent, depth))
		}
		first = false
		_, _ = e.WriteString(name + ":")
		e.field(field, depth)
	}
	if first {
		_, _ = e.WriteString("{}\n")
	}
}

// field writes the value behind a name.
func (e *encoder) field(v reflect.Value, depth int) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct && !v.IsZero():
		_, _ = e.WriteString("\n" + strings.Repeat(indent, depth+1))
		e.object(v, depth+1)
	case v.Kind() == reflect.Slice && v.Len() > 0:
		_, _ = e.WriteString("\n")
		for i := range v.Len() {
			_, _ = e.WriteString(strings.Repeat(indent, depth+1) + "- ")
			if one := v.Index(i); one.Kind() == reflect.Struct {
				e.object(one, depth+2)
			} else {
				_, _ = e.WriteString(scalar(one) + "\n")
			}
		}
	default:
		_, _ = e.WriteString(" " + scalar(v) + "\n")
	}
}

var (
	plainForm = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N} _.$/@+(){}:-]*$`)
	// wordForm are texts that YAML 1.1 or 1.2 reads as something else.
	wordForm = regexp.MustCompile(`(?i)^(null|true|false|yes|no|on|off|y|n)$`)
)

func scalar(v reflect.Value) string {
	switch v.Kind() { //nolint:exhaustive // other kinds print as they are
	case reflect.Struct:
		return "{}"
	case reflect.Slice:
		return "[]"
	case reflect.String:
		text := v.String()
		mark := strings.HasSuffix(text, " ") || strings.HasSuffix(text, ":") || strings.Contains(text, ": ")
		if plainForm.MatchString(text) && !wordForm.MatchString(text) && !mark {
			return text
		}
		var quoted bytes.Buffer
		j := json.NewEncoder(&quoted)
		j.SetEscapeHTML(false)
		_ = j.Encode(text) // text never fails
		return escaped(strings.TrimSuffix(quoted.String(), "\n"))
	}
	return fmt.Sprint(v.Interface())
}

// escaped escapes, in a quoted text, the characters that YAML does not allow as
// they are and JSON does.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if 0x7f <= r && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff {
			_, _ = fmt.Fprintf(&b, `\u%04x`, r) // it never fails
			continue
		}
		_, _ = b.WriteRune(r) // likewise
	}
	return b.String()
}
