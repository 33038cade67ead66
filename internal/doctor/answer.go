package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hubspotconnector/internal/apiclient"
)

// reply is an answer of Gainsight, as far as it could be read.
type reply struct {
	status int
	header http.Header
	isJSON bool
	result *bool
	code   string // errorCode or title, if it looks like one
	desc   string // never shown: it may hold values
	data   json.RawMessage
}

var codes = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,39}$`)

func readReply(a apiclient.Answer) reply {
	r := reply{status: a.Status, header: a.Header}
	var body struct {
		Result    *bool           `json:"result"`
		ErrorCode any             `json:"errorCode"`
		ErrorDesc any             `json:"errorDesc"`
		Title     any             `json:"title"`
		Data      json.RawMessage `json:"data"`
	}
	if json.Unmarshal(a.Body, &body) != nil {
		return r
	}
	r.isJSON, r.result, r.data = true, body.Result, body.Data
	for _, c := range []any{body.ErrorCode, body.Title} {
		if text, ok := c.(string); ok && r.code == "" && codes.MatchString(text) {
			r.code = text
		}
	}
	r.desc, _ = body.ErrorDesc.(string)
	return r
}

// good reports whether the call did what it was asked for.
func (r reply) good() bool {
	return r.status/100 == 2 && r.isJSON && (r.result == nil || *r.result) && r.code == ""
}

// unknown reports whether the named object does not exist.
func (r reply) unknown() bool {
	return strings.HasPrefix(strings.ToLower(r.desc), "requested object not found") || r.code == "OBJECT_NOT_FOUND"
}

// noRows reports whether the answer is one of the documented errors that mean that
// there are no rows.
func (r reply) noRows() bool {
	return r.code == "GSOBJ_1011" || r.code == "GSOBJ_1XXX" || strings.Contains(strings.ToLower(r.desc), "no data found")
}

// shown is how the answer looks: its status and its code.
func (r reply) shown() string {
	text := "HTTP " + strconv.Itoa(r.status)
	switch {
	case !r.isJSON:
		text += ", no JSON"
	case r.code != "":
		text += ", " + r.code
	case r.result != nil && !*r.result:
		text += ", result:false without a code"
	}
	return text
}

// rows are the rows of a read, and whether they stand in data.records.
func (r reply) rows() (rows []map[string]any, wrapped bool) {
	raw := bytes.TrimSpace(r.data)
	if bytes.HasPrefix(raw, []byte("{")) {
		var data struct {
			Records json.RawMessage `json:"records"`
		}
		_ = json.Unmarshal(raw, &data) // what is no object has no rows
		raw, wrapped = data.Records, true
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	_ = d.Decode(&rows) // what is no list has no rows
	return rows, wrapped
}

// gsids are the GSIDs of rows, "" where there is none.
func gsids(rows []map[string]any) []string {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = row["Gsid"].(string)
	}
	return ids
}

// swap turns upper case into lower case and the reverse.
func swap(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}

// moment reads a time in any form that Gainsight is known to answer.
func moment(v any) (time.Time, bool) {
	text := fmt.Sprint(v)
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), true
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil { // fractions are taken by all
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// items counts the items of a multi-select list as it is read.
func items(v any) int {
	switch v := v.(type) {
	case nil:
		return 0
	case []any:
		return len(v)
	}
	if fmt.Sprint(v) == "" {
		return 0
	}
	return strings.Count(fmt.Sprint(v), ";") + 1
}

// plural is "1 row" or "5 rows".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
