package gainsightsim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// rows answers rows of a query. It writes the JSON itself, as answers have up
// to 5,000 rows.
func (c *call) rows(o *object, sel []column, slots []int32, w Switches) answer {
	keys := make([]string, len(sel))
	for i, col := range sel {
		keys[i] = string(appendText(nil, col.name)) + ":"
	}
	b := make([]byte, 0, 256+len(slots)*len(sel)*48)
	b = append(b, `{"result":true,"errorCode":null,"errorDesc":null,"localizedErrorDesc":null,"requestId":"`...)
	b = append(b, c.id...)
	b = append(b, `","data":`...)
	if !w.BareArray {
		b = append(b, `{"records":`...)
	}
	b = append(b, '[')
	for i, slot := range slots {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		first := true
		for k, col := range sel {
			v := col.path.of(o.rows[slot])
			if v.kind == null && len(col.path.hops) > 0 {
				continue // a look-up that leads to nothing is absent [assumed]
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(b, keys[k]...)
			b = appendValue(b, col.path.field, v, w.EpochDates)
		}
		b = append(b, '}')
	}
	b = append(b, ']')
	if !w.BareArray {
		b = append(b, '}')
	}
	b = append(b, `,"message":null,"localizedMessage":null}`...)
	return answer{status: http.StatusOK, body: b}
}

func appendValue(b []byte, f *field, v value, epoch bool) []byte {
	isTime := f.DataType == "DATE" || f.DataType == "DATETIME"
	switch {
	case v.kind == null && isTime && !epoch:
		return append(b, `""`...)
	case v.kind == null:
		return append(b, "null"...)
	case isTime && epoch:
		return strconv.AppendInt(b, int64(v.n), 10)
	case isTime:
		return append(append(append(b, '"'), timeText(f, v)...), '"')
	case v.kind == text:
		return appendText(b, v.s)
	case v.kind == boolean:
		return strconv.AppendBool(b, v.n == 1)
	}
	return strconv.AppendFloat(b, v.n, 'f', -1, 64)
}

func timeText(f *field, v value) string {
	at := time.UnixMilli(int64(v.n)).UTC()
	if f.DataType == "DATE" {
		return at.Format(time.DateOnly)
	}
	return at.Format("2006-01-02T15:04:05.999Z07:00")
}

// appendText appends a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // strings are always marshalled
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
