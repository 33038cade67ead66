package gainsight

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	"hubspotconnector/internal/apiclient"
)

// envelope is the frame of every answer, success or error. Keys may be missing
// instead of null, and metadata errors have a title instead of an errorCode.
type envelope struct {
	Result    *bool           `json:"result"`
	ErrorCode text            `json:"errorCode"`
	ErrorDesc text            `json:"errorDesc"`
	Title     text            `json:"title"`
	Detail    text            `json:"detail"`
	Message   text            `json:"message"`
	Data      json.RawMessage `json:"data"`
}

// text is a string that may be null, or of another type, which counts as "".
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		*t = text(s)
	}
	return nil
}

// codes are what a code may look like; anything else could hold a value.
var codes = regexp.MustCompile(`^[A-Z][A-Z0-9_]{1,39}$`)

// code is the errorCode or what stands for it, "" if there is none.
func (e envelope) code() string {
	if strings.HasPrefix(strings.ToLower(e.desc()), "requested object not found") {
		return codeUnknownObject // the data service says it with the code of a wrong path
	}
	for _, t := range []text{e.ErrorCode, e.Title} {
		if codes.MatchString(string(t)) {
			return string(t)
		}
	}
	return ""
}

func (e envelope) desc() string {
	for _, t := range []text{e.ErrorDesc, e.Detail, e.Message} {
		if t != "" {
			return string(t)
		}
	}
	return ""
}

// ok reports whether the call did what it was asked for: a 200 may say that it
// did not.
func (e envelope) ok() bool {
	if e.Result != nil {
		return *e.Result
	}
	return e.ErrorCode == "" && e.Title == ""
}

// answer returns an Into that reads a whole envelope: a success goes to read, a
// failure to classify.
func answer(read func(envelope) error, classify func(int, envelope) error) func(int, io.Reader) error {
	return func(status int, body io.Reader) error {
		var e envelope
		if err := apiclient.JSON(&e)(status, body); err != nil {
			return err
		}
		switch {
		case !e.ok():
			return classify(status, e)
		case e.Result == nil && e.Data == nil:
			return errors.New("an answer that is no envelope")
		}
		return read(e)
	}
}

// parse reads what can be read of an error's envelope, whose end may be cut off.
// ok is false if the body says nothing.
func parse(body []byte) (e envelope, ok bool) {
	if json.Unmarshal(body, &e) == nil {
		return e, bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	}
	e = envelope{}
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return e, false
	}
	for {
		key, err := d.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		name, err := json.Marshal(key)
		if err != nil {
			break
		}
		member := append(append(append([]byte("{"), name...), ':'), append(value, '}')...)
		if json.Unmarshal(member, &e) != nil {
			break
		}
	}
	return e, e.code() != ""
}

// detail is what is wrong with one row.
type detail struct {
	Message text      `json:"errorMessage"`
	Code    text      `json:"errorCode"`
	Field   text      `json:"fieldName"`
	Value   valueText `json:"invalidValue"`
}

// valueText is a refused value: a scalar or an array of them.
type valueText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *valueText) UnmarshalJSON(raw []byte) error {
	v, err := decodeValue(raw)
	if err == nil {
		*t = valueText(valueString(v))
	}
	return err
}

// details returns what data.errors says, however deep it is nested. It does not
// tell which rows are meant.
func (e envelope) details() []detail {
	var data struct {
		Errors json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	return flatten(data.Errors)
}

func flatten(raw json.RawMessage) []detail {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		var all []detail
		for _, one := range list {
			all = append(all, flatten(one)...)
		}
		return all
	}
	var nested struct {
		Errors json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(raw, &nested) != nil {
		return nil
	}
	if len(nested.Errors) > 0 && string(nested.Errors) != "null" {
		return flatten(nested.Errors)
	}
	var d detail
	if json.Unmarshal(raw, &d) != nil || d == (detail{}) {
		return nil
	}
	return []detail{d}
}
