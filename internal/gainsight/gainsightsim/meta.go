package gainsightsim

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// token gives an M2M token. The body may be a form or empty JSON [assumed].
func (s *Sim) token(c *call) answer {
	encoded, basic := strings.CutPrefix(c.Header.Get("Authorization"), "Basic ")
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if !basic || err != nil || s.client[0] == "" || string(plain) != s.client[0]+":"+s.client[1] {
		return c.gateway(http.StatusUnauthorized, "GS_APIG_2401", "Unauthorized")
	}
	if !s.tokenBody(c) {
		return c.gateway(http.StatusBadRequest, "GS_APIG_2400", "Bad Request") // code [assumed]
	}
	access := strings.ReplaceAll(s.uuid()+s.uuid(), "-", "")
	s.tokens[access] = s.now().Add(s.life)
	return reply(http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}{access, "Bearer", int(s.life.Seconds())})
}

// tokenBody reports whether a token call has a body that is taken.
func (s *Sim) tokenBody(c *call) bool {
	body := "json"
	switch {
	case strings.HasPrefix(c.Header.Get("Content-Type"), "application/x-www-form-urlencoded"):
		form, err := url.ParseQuery(string(c.body))
		if err != nil || form.Get("grant_type") != "client_credentials" {
			return false
		}
		body = "form"
	case len(c.body) == 0:
		body = "empty"
	}
	return s.switches.TokenBody == "" || s.switches.TokenBody == body
}

// metadata is the envelope of metadata answers.
type metadata struct {
	RequestID string `json:"requestId"`
	Result    bool   `json:"result"`
	Data      any    `json:"data"`
}

type objectAnswer struct {
	ObjectName       string `json:"objectName"`
	Label            string `json:"label"`
	LabelPlural      string `json:"labelPlural,omitempty"`
	ObjectType       string `json:"objectType"`
	KeyPrefix        string `json:"keyPrefix"`
	Transactional    bool   `json:"transactional"` // true: a low-volume custom object [assumed]
	MultiCurrency    bool   `json:"multiCurrencySupported"`
	Readable         bool   `json:"readable"`
	Createable       bool   `json:"createable"`
	SchemaUpdateable bool   `json:"schemaUpdateable"`
}

// list answers the objects. The parent marker does not restrict the list
// [assumed].
func (s *Sim) list(c *call) answer {
	data := make([]objectAnswer, len(s.names))
	for i, name := range s.names {
		o := s.objects[name]
		data[i] = objectAnswer{
			ObjectName: o.name, Label: o.label, ObjectType: o.kind(), KeyPrefix: o.prefix,
			Transactional: o.custom(), Readable: true, Createable: true, SchemaUpdateable: true,
		}
		if c.Method == http.MethodPost {
			data[i].LabelPlural = o.label + "s"
		}
	}
	return reply(http.StatusOK, metadata{c.id, true, data})
}

func (o *object) custom() bool { return strings.HasSuffix(o.name, "__gc") }

func (o *object) kind() string {
	if o.custom() {
		return "CUSTOM"
	}
	return "STANDARD"
}

type describeAnswer struct {
	ObjectName  string        `json:"objectName"`
	Label       string        `json:"label"`
	ObjectType  string        `json:"objectType"`
	LabelPlural string        `json:"labelPlural"`
	KeyPrefix   string        `json:"keyPrefix"`
	Fields      []fieldAnswer `json:"fields"`
}

type fieldAnswer struct {
	FieldName  string         `json:"fieldName"`
	Label      string         `json:"label"`
	DataType   string         `json:"dataType"`
	ObjectName string         `json:"objectName"`
	Options    []optionAnswer `json:"options,omitempty"`
	Meta       fieldMeta      `json:"meta"`
}

type fieldMeta struct {
	Properties     map[string]string `json:"properties"`
	Filterable     bool              `json:"filterable"`
	Sortable       bool              `json:"sortable"`
	Groupable      bool              `json:"groupable"`
	Createable     bool              `json:"createable"`
	Updateable     bool              `json:"updateable"`
	FormulaField   bool              `json:"formulaField"`
	HasLookup      bool              `json:"hasLookup"`
	Required       bool              `json:"required"`
	RichText       bool              `json:"richText"`
	Nillable       bool              `json:"nillable"`
	ReadOnly       bool              `json:"readOnly"`
	FieldGroupType string            `json:"fieldGroupType"`
	DecimalPlaces  int               `json:"decimalPlaces"`
	Length         int               `json:"length"`
	Hidden         bool              `json:"hidden"`
	NameField      bool              `json:"nameField"`
	LookupDetail   *lookupAnswer     `json:"lookupDetail,omitempty"`
}

type lookupAnswer struct {
	LookupName    string              `json:"lookupName"`
	FieldName     string              `json:"fieldName"`
	FieldDBName   string              `json:"fieldDBName"`
	FieldLabel    string              `json:"fieldLabel"`
	LookupObjects []map[string]string `json:"lookupObjects"`
}

type optionAnswer struct {
	Active       bool    `json:"active"`
	DefaultValue bool    `json:"defaultValue"`
	Label        string  `json:"label"`
	ValidFor     *string `json:"validFor"`
	Value        string  `json:"value"`
	DisplayOrder int     `json:"displayOrder"`
	GroupID      string  `json:"groupId"`
	Color        *string `json:"color"`
	Description  string  `json:"description"`
	SystemName   string  `json:"systemName"`
}

// describeOne answers one object; picklist items only if idd asks for them.
func (s *Sim) describeOne(c *call) answer {
	if s.switches.DescribeByPost {
		return c.gateway(http.StatusNotFound, "GS_APIG_1000", "Not Found")
	}
	return s.describe(c, []string{c.PathValue("object")}, c.URL.Query().Get("idd") == "true")
}

func (s *Sim) describeMany(c *call) answer {
	var body struct {
		ObjectNames []string `json:"objectNames"`
		Options     string   `json:"populatePickListOptions"`
	}
	if bad := c.read(&body); bad != nil {
		return c.refuse(bad)
	}
	return s.describe(c, body.ObjectNames, body.Options == "true")
}

func (s *Sim) describe(c *call, names []string, options bool) answer {
	data := make([]describeAnswer, len(names))
	for i, name := range names {
		o := s.objects[strings.ToLower(name)]
		if o == nil {
			return s.objectNotFound(c)
		}
		data[i] = describeAnswer{o.name, o.label, o.kind(), o.label + "s", o.prefix, nil}
		for _, f := range o.fields {
			if f != nil {
				data[i].Fields = append(data[i].Fields, s.describeField(f, options))
			}
		}
	}
	return reply(http.StatusOK, metadata{c.id, true, data})
}

// objectNotFound is a metadata error: it has no errorCode. The status is
// [assumed].
func (s *Sim) objectNotFound(c *call) answer {
	return reply(http.StatusBadRequest, struct {
		RequestID string `json:"requestId"`
		Result    bool   `json:"result"`
		Instance  string `json:"instance"`
		Title     string `json:"title"`
		Detail    string `json:"detail"`
		ErrorDesc string `json:"errorDesc"`
	}{
		c.id, false, s.now().UTC().Format("2006-01-02 15:04:05 UTC"), "OBJECT_NOT_FOUND",
		"Requested object not found.", "Requested object not found.",
	})
}

func (s *Sim) describeField(f *field, options bool) fieldAnswer {
	a := fieldAnswer{FieldName: f.Name, Label: f.Label, DataType: f.DataType, ObjectName: f.object}
	a.Meta = fieldMeta{
		Properties: map[string]string{"sourceType": f.DataType}, Filterable: true, Sortable: true, Groupable: true,
		Createable: !f.ReadOnly, Updateable: !f.ReadOnly, Required: f.Required, Nillable: f.Nillable,
		ReadOnly: f.ReadOnly, RichText: f.DataType == "RICHTEXTAREA", FieldGroupType: "STANDARD",
		NameField: f.Name == "Name",
	}
	if f.custom() {
		a.Meta.FieldGroupType = "CUSTOM"
	}
	if kindOf(f.DataType) == text {
		a.Meta.Length = f.Length
	}
	if f.LookupObject != "" {
		a.Meta.HasLookup = true
		a.Meta.LookupDetail = &lookupAnswer{
			LookupName: f.lookupName(), FieldName: "Gsid", FieldDBName: "gsid", FieldLabel: "GSID",
			LookupObjects: []map[string]string{{"objectName": strings.ToLower(f.LookupObject), "label": s.must(f.LookupObject).label}},
		}
	}
	if f.group == "" {
		return a
	}
	a.Meta.Properties["PICKLIST_CATEGORY"], a.Meta.Properties["PICKLIST_CATEGORY_ID"] = f.Label, f.group
	for i := 0; options && i < len(f.items); i++ {
		a.Options = append(a.Options, optionAnswer{
			Active: f.active(i), Label: f.Options[i], Value: f.items[i],
			DisplayOrder: i + 1, GroupID: f.group, SystemName: f.Options[i],
		})
	}
	return a
}
