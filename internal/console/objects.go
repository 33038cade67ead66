package console

import (
	"strings"
	"time"

	"hubspotconnector/internal/catalog"
)

// object is one kind of HubSpot record, as people choose it.
type object struct {
	catalog.Object
	Usual bool // one of the five that the product names
}

func objects() []object {
	all := make([]object, 0, 40)
	for i, o := range catalog.All() {
		all = append(all, object{o, i < usualObjects})
	}
	return all
}

// usualObjects is how many objects stand first in the catalog: Company, Contact,
// Owner, Deal and Ticket.
const usualObjects = 5

// sourceLabel is what people call a source object.
func sourceLabel(name string) string {
	if o, ok := catalog.Find(name); ok {
		return o.Label
	}
	return name
}

// targetLabel is what people call a target object, as far as its name tells.
func targetLabel(name string) string {
	switch name {
	case "company":
		return "Company"
	case "company_person":
		return "Person and Company Person"
	case "gsuser":
		return "User"
	}
	text := strings.ReplaceAll(strings.TrimSuffix(name, "__gc"), "_", " ")
	if text == "" {
		return name
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// per is the length of a quota's window: "10 s", "minute", "day".
func per(d time.Duration) string {
	switch d { //nolint:exhaustive // the windows that have a word
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return took(d)
}
