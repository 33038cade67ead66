package asl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"

	jsonv2 "github.com/go-json-experiment/json"
)

// A value is JSON in the form that the JSONata library reads: maps, slices,
// strings, booleans, float64 (int64 beyond ±2^53), and null as a nil *any, for
// a nil there is undefined. Values are shared between branches and never changed.

// exact is the largest integer up to which a float64 holds every one.
const exact = 1 << 53

// maxData is how many bytes an input, output, payload or result may have
// (AWS Step Functions quotas, 2026-11: 256 KiB of UTF-8).
const maxData = 256 << 10

func null() any { return (*any)(nil) }

// decode reads one JSON text as a value.
func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode JSON: there is more than one value")
	}
	return normal(v)
}

// encode writes a value as JSON text with sorted names.
func encode(v any) (json.RawMessage, error) {
	raw, err := jsonv2.Marshal(v, jsonv2.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return raw, nil
}

// encodeLimited is encode for what crosses a border of Step Functions. Its
// errors are States.DataLimitExceeded and States.QueryEvaluationError.
func encodeLimited(v any, what string) (json.RawMessage, error) {
	raw, err := encode(v)
	if err != nil {
		return nil, &Error{Name: queryEvaluationError, Cause: "The " + what + " is no JSON."}
	}
	if len(raw) > maxData {
		return nil, &Error{
			Name:  dataLimitExceeded,
			Cause: fmt.Sprintf("The %s has %d bytes; the limit is %d.", what, len(raw), maxData),
		}
	}
	return raw, nil
}

// normal turns decoded JSON, or what an expression returned, into a value.
func normal(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return null(), nil
	case string, bool:
		return v, nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return integer(n), nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("number out of range: %w", err)
		}
		return f, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a number is not finite")
		}
		return v, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, field := range v {
			n, err := normal(field)
			if err != nil {
				return nil, err
			}
			out[name] = n
		}
		return out, nil
	}
	return normalKind(reflect.ValueOf(v))
}

func normalKind(v reflect.Value) (any, error) {
	switch {
	case v.Kind() == reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			n, err := normal(v.Index(i).Interface())
			if err != nil {
				return nil, err
			}
			out[i] = n
		}
		return out, nil
	case v.Type() == reflect.TypeFor[*any]():
		if v.IsNil() {
			return null(), nil
		}
		return normal(v.Elem().Interface())
	case v.CanInt():
		return integer(v.Int()), nil
	}
	return nil, fmt.Errorf("a %s is no JSON", v.Kind())
}

func integer(n int64) any {
	if n >= -exact && n <= exact {
		return float64(n)
	}
	return n
}
