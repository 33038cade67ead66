package webhook

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"hubspotconnector/internal/catalog"
	"hubspotconnector/internal/mark"
)

// event is one entry of a request. Every field may be missing; what it says of
// values is never used, because records are read again.
type event struct {
	Type      string `json:"subscriptionType"`
	OtherType string `json:"eventType"` // as HubSpot's documentation calls it
	Portal    number `json:"portalId"`
	App       number `json:"appId"`
	Occurred  number `json:"occurredAt"`

	Object   number   `json:"objectId"`
	TypeID   string   `json:"objectTypeId"`
	Primary  number   `json:"primaryObjectId"`
	Merged   []number `json:"mergedObjectIds"`
	New      number   `json:"newObjectId"`
	From     number   `json:"fromObjectId"`
	To       number   `json:"toObjectId"`
	FromType string   `json:"fromObjectTypeId"`
	ToType   string   `json:"toObjectTypeId"`
	Link     string   `json:"associationType"` // such as CONTACT_TO_COMPANY
}

// number is an id or a time, which may come as a number or as text; 0 = missing.
type number int64

// UnmarshalJSON takes a number, a text that holds one, or null.
func (n *number) UnmarshalJSON(raw []byte) error {
	*n = 0
	text := strings.Trim(string(raw), `"`)
	if text == "null" || text == "" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return &json.UnmarshalTypeError{Value: "text", Type: nil}
	}
	*n = number(v)
	return nil
}

func (n number) id() string { return strconv.FormatInt(int64(n), 10) }

func (e event) occurred() time.Time { return time.UnixMilli(int64(e.Occurred)) }

// touched is one record that an event tells of.
type touched struct {
	object string // type id
	id     string
	kind   mark.Kind
	// far is set for the far side of an association: the type id of the near side,
	// to which alone the record matters.
	far string
}

// records returns what the event is about; ok is false for an event that says
// nothing that is understood.
func (e event) records(known objects) (all []touched, ok bool) {
	kind := e.Type
	if kind == "" {
		kind = e.OtherType
	}
	prefix, what, _ := strings.Cut(kind, ".")
	object := known.id(prefix, e.TypeID)
	add := func(object string, id number, kind mark.Kind, far string) {
		if object != "" && id > 0 {
			all = append(all, touched{object, id.id(), kind, far})
		}
	}
	switch what {
	case "creation", "propertyChange", "restore":
		add(object, e.Object, mark.Changed, "")
	case "deletion":
		add(object, e.Object, mark.Deleted, "")
	case "privacyDeletion":
		add(object, e.Object, mark.Privacy, "")
	case "merge":
		add(object, e.New, mark.Merged, "")
		add(object, e.Object, mark.Merged, "")
		add(object, e.Primary, mark.Merged, "")
		for _, id := range e.Merged {
			add(object, id, mark.Merged, "")
		}
	case "associationChange":
		from, to := e.sides(known, object)
		add(from, e.From, mark.Changed, "")
		add(to, e.To, mark.Changed, from)
	}
	return all, len(all) > 0
}

// sides returns the type ids of both sides of an association, "" if not known.
func (e event) sides(known objects, object string) (from, to string) {
	a, b, _ := strings.Cut(e.Link, "_TO_")
	from, to = known.id(a, e.FromType), known.id(b, e.ToType)
	if from == "" {
		from = object
	}
	return from, to
}

// objects are the objects that were looked up for a request. :: name or type id →
// type id, "" if it is not known
type objects map[string]string

// id returns the type id of an object: of the type id that is given, or of a name
// in any spelling.
func (o objects) id(name, typeID string) string {
	if typeID != "" {
		name = typeID
	}
	id, looked := o[name]
	if !looked {
		object, _ := catalog.Find(name)
		id, o[name] = object.TypeID, object.TypeID
	}
	return id
}
