package catalog_test

import (
	"testing"

	"hubspotconnector/internal/catalog"
)

func TestFindTakesEverySpelling(t *testing.T) {
	tests := []struct{ name, typeID, modified string }{
		{"company", "0-2", "hs_lastmodifieddate"},
		{"Companies", "0-2", "hs_lastmodifieddate"},
		{" contact ", "0-1", "lastmodifieddate"},
		{"0-1", "0-1", "lastmodifieddate"},
		{"owner", "owner", ""},
		{"owners", "owner", ""},
		{"deal", "0-3", "hs_lastmodifieddate"},
		{"tickets", "0-5", "hs_lastmodifieddate"},
		{"line_item", "0-8", "hs_lastmodifieddate"},
		{"2-3453932", "2-3453932", "hs_lastmodifieddate"},
	}
	for _, tt := range tests {
		o, ok := catalog.Find(tt.name)
		if !ok || o.TypeID != tt.typeID || o.ModifiedProperty != tt.modified || len(o.Scopes) == 0 {
			t.Errorf("Find(%q) = %+v, %v", tt.name, o, ok)
		}
	}
	for _, name := range []string{"", "butterfly", "2-", "2-12x", "0-99999", "-"} {
		if o, ok := catalog.Find(name); ok {
			t.Errorf("Find(%q) = %+v, want nothing", name, o)
		}
	}
}

func TestEveryNameLeadsToOneObject(t *testing.T) {
	seen := map[string]string{} // :: name → type id
	for _, o := range catalog.All() {
		for _, name := range []string{o.Name, o.Plural, o.TypeID} {
			if other := seen[name]; other != "" && other != o.TypeID {
				t.Errorf("%q names two objects", name)
			}
			seen[name] = o.TypeID
			if found, _ := catalog.Find(name); found.TypeID != o.TypeID {
				t.Errorf("Find(%q) gives %s, not %s", name, found.Name, o.Name)
			}
		}
		if o.Page == (o.Name == "owner") {
			t.Errorf("%s: Page is %v", o.Name, o.Page)
		}
	}
}
