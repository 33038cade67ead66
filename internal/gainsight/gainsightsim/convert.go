package gainsightsim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// refusal is what is wrong with one field of one record, or with a whole call
// if field is "".
type refusal struct {
	code    string
	message string // without the value
	field   string
	invalid any
	form    string // of the description, over message, field and value; "" = the message
}

// desc is the description that stands beside the code of the whole call.
func (r *refusal) desc() string {
	if r.form == "" {
		return r.message
	}
	return fmt.Sprintf(r.form, r.message, r.field, r.shown())
}

func (r *refusal) shown() string {
	if list, ok := r.invalid.([]any); ok && len(list) == 1 {
		return fmt.Sprint(list[0])
	}
	if r.invalid == nil {
		return "null"
	}
	return fmt.Sprint(r.invalid)
}

const withValue = "%s (%s = %s)"

// Refusals of single values, with the codes of the Company API.

func invalidType(f *field, v any) *refusal {
	return &refusal{code: "GSOBJ_1002", message: "Invalid field, please re-check data mapping", field: f.Name, invalid: v}
}

func invalidField(name string, v any) *refusal {
	return &refusal{code: "GSOBJ_1002", message: "Invalid field, please re-check data mapping", field: name, invalid: v}
}

func invalidNull(name string) *refusal {
	return &refusal{code: "GSOBJ_1007", message: "Invalid field value", field: name, form: withValue}
}

func invalidOther(f *field, v any, message string) *refusal {
	return &refusal{code: "GSOBJ_1008", message: message, field: f.Name, invalid: v, form: withValue}
}

// convert checks a value that is to be written to a field and returns its stored
// form.
func (s *Sim) convert(f *field, v any) (value, *refusal) {
	if v == nil {
		if !f.Nillable {
			return value{}, invalidNull(f.Name)
		}
		return value{}, nil
	}
	switch f.DataType {
	case "NUMBER", "PERCENTAGE", "CURRENCY":
		return convertNumber(f, v)
	case "BOOLEAN":
		b, ok := v.(bool)
		if !ok {
			return value{}, invalidOther(f, v, fmt.Sprintf("Invalid Boolean Value: %v", v))
		}
		return boolValue(b), nil
	case "DATE":
		return convertTime(f, v, "GSOBJ_1006", s.switches.DateForm, map[string]string{"day": time.DateOnly})
	case "DATETIME":
		// With milliseconds and offset; Z as an offset [assumed].
		return convertTime(f, v, "GSOBJ_1005", s.switches.DateTimeForm, map[string]string{
			"offset": "2006-01-02T15:04:05.000Z0700", "colon": "2006-01-02T15:04:05.000Z07:00",
		})
	case "MULTISELECTDROPDOWNLIST":
		return s.convertItems(f, v)
	}
	t, ok := v.(string)
	if !ok {
		return value{}, invalidType(f, v)
	}
	return s.convertText(f, t)
}

// convertNumber also takes the text of a number [assumed].
func convertNumber(f *field, v any) (value, *refusal) {
	switch v := v.(type) {
	case float64:
		return numberValue(v), nil
	case string:
		plain := strings.Trim(v, "+-.0123456789eE") == ""
		if n, err := strconv.ParseFloat(v, 64); err == nil && plain {
			return numberValue(n), nil
		}
	}
	return value{}, invalidOther(f, v, "Failed to parse value as "+strings.ToLower(f.DataType)+".")
}

// convertTime takes milliseconds (the form "epoch"), or text in one of the
// layouts, which have names; only, if not "", is the one form that is taken.
func convertTime(f *field, v any, code, only string, layouts map[string]string) (value, *refusal) {
	switch v := v.(type) {
	case float64:
		if only == "" || only == "epoch" {
			return numberValue(v), nil
		}
	case string:
		for name, layout := range layouts {
			if t, err := time.Parse(layout, v); err == nil && (only == "" || only == name) {
				return numberValue(float64(t.UnixMilli())), nil
			}
		}
	}
	return value{}, &refusal{code: code, message: "Invalid dateTime format", field: f.Name, invalid: v, form: "%s (%s= %s)"}
}

func (s *Sim) convertText(f *field, t string) (value, *refusal) {
	switch f.DataType {
	case "PICKLIST":
		return convertItem(f, t)
	case "LOOKUP", "GSID":
		// A GSID must be that of an existing row [assumed].
		if target := s.objects[strings.ToLower(f.LookupObject)]; target != nil {
			if _, _, ok := target.row(t); !ok {
				return value{}, invalidOther(f, t, "Invalid GSID value.")
			}
		}
		return textValue(t), nil
	case "SFDCID":
		if (len(t) != 15 && len(t) != 18) || strings.ContainsFunc(t, notAlphanumeric) {
			return value{}, invalidOther(f, t, "SFDCID must be alphanumeric 15 or 18 characters.")
		}
	case "EMAIL": // how strictly an address is checked is [assumed]
		if local, domain, _ := strings.Cut(t, "@"); local == "" || !strings.Contains(domain, ".") || strings.ContainsAny(t, " ,;") {
			return value{}, invalidOther(f, t, "Invalid email value.")
		}
	case "URL": // likewise
		if strings.ContainsAny(t, " \t\n") {
			return value{}, invalidOther(f, t, "Invalid URL value.")
		}
	}
	if utf8.RuneCountInString(t) > f.Length { // in characters [assumed]
		return value{}, &refusal{code: "GSOBJ_1001", message: "Field exceeds maximum allowed length", field: f.Name, invalid: t}
	}
	return textValue(t), nil
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

func convertItem(f *field, t string) (value, *refusal) {
	i, ok := f.item(t)
	if !ok || !f.active(i) {
		return value{}, &refusal{
			code: "GSOBJ_1012", message: "Invalid/Inactive value provided for picklist.",
			field: f.Name, invalid: []any{t}, form: "%s (%s = %s).",
		}
	}
	return textValue(f.items[i]), nil
}

// convertItems takes several items as an array, or joined with ";" [assumed].
func (s *Sim) convertItems(f *field, v any) (value, *refusal) {
	var labels []any
	switch v := v.(type) {
	case []any:
		if s.switches.ItemsForm == "joined" {
			return value{}, invalidType(f, v)
		}
		labels = v
	case string:
		if s.switches.ItemsForm == "list" { // then it is one item
			return convertItem(f, v)
		}
		for label := range strings.SplitSeq(v, ";") {
			labels = append(labels, label)
		}
	default:
		return value{}, invalidType(f, v)
	}
	items := make([]string, len(labels))
	for i, label := range labels {
		t, ok := label.(string)
		if !ok {
			return value{}, invalidType(f, v)
		}
		item, bad := convertItem(f, t)
		if bad != nil {
			return value{}, bad
		}
		items[i] = item.s
	}
	return textValue(strings.Join(items, ";")), nil
}
