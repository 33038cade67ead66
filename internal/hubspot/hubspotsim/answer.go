package hubspotsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const jsonType = "application/json;charset=utf-8"

// object is a JSON object that is too small for a type.
type object = map[string]any

func reply(status int, v any) answer {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // only own types are encoded
	}
	return raw(status, bytes.TrimRight(out.Bytes(), "\n"))
}

func raw(status int, body []byte) answer {
	return answer{status: status, header: http.Header{"Content-Type": {jsonType}}, body: body}
}

// refuse is an error answer in HubSpot's envelope. An empty category is left out.
func (c *call) refuse(status int, category, message string, more ...object) answer {
	body := object{"status": "error", "message": message, "correlationId": c.id}
	if category != "" {
		body["category"] = category
	}
	for _, m := range more {
		for name, value := range m {
			body[name] = value
		}
	}
	return reply(status, body)
}

// invalid is a 400. The texts for exceeded limits are undocumented (assumed).
func (c *call) invalid(format string, args ...any) answer {
	return c.refuse(http.StatusBadRequest, "VALIDATION_ERROR", fmt.Sprintf(format, args...))
}

func (c *call) badCursor(kind, after string) answer {
	return c.invalid("Invalid input JSON: Cannot deserialize value of type `%s` from String %q: not a valid `%s` value", kind, after, kind)
}

func (c *call) unknownType(name string) answer {
	return c.refuse(http.StatusBadRequest, "", "Unable to infer object type from: "+name)
}

func (c *call) notFound() answer {
	return c.refuse(http.StatusNotFound, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
}

func (c *call) missingScopes(scopes []string) answer {
	const page = "https://developers.hubspot.com/scopes"
	return c.refuse(http.StatusForbidden, "MISSING_SCOPES",
		"This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "+page+".",
		object{
			"errors": []object{{
				"message": "One or more of the following scopes are required.",
				"context": object{"requiredGranularScopes": scopes},
			}},
			"links": object{"scopes": page},
		})
}

func (c *call) expired(since time.Time) answer {
	return c.refuse(http.StatusUnauthorized, "EXPIRED_AUTHENTICATION",
		fmt.Sprintf("The OAuth token used to make this call expired %d second(s) ago.", int(c.now.Sub(since).Seconds())),
		object{"context": object{"expire time": []string{iso(since.UnixMilli())}}})
}

func (c *call) unauthenticated() answer {
	return c.refuse(http.StatusUnauthorized, "INVALID_AUTHENTICATION",
		"Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview")
}

func tooMany(policy, id string) []byte {
	return reply(http.StatusTooManyRequests, object{
		"status": "error", "message": "You have reached your " + strings.ToLower(policy) + " limit.",
		"errorType": "RATE_LIMIT", "correlationId": id, "policyName": policy,
		"groupName": "publicapi:crm:oauth", "requestId": id,
	}).body
}

// iso prints a time in ms since the epoch as HubSpot does.
func iso(ms int64) string { return string(appendISO(nil, ms)) }

func appendISO(out []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(out, "2006-01-02T15:04:05.000Z")
}
