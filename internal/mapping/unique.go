package mapping

import "slices"

// property returns the property of the source that fills a direct mapping, "" if it
// is anything else than a record's own property, unchanged.
func (c Config) property(d Direct) string {
	i := slices.IndexFunc(c.Fields, func(f Field) bool { return f.Name == d.From })
	if i < 0 || c.Fields[i].Association != nil || d.Default != nil {
		return ""
	}
	if c.Fields[i].Property != "" {
		return c.Fields[i].Property
	}
	return c.Fields[i].Name
}

// ByID reports whether a direct mapping writes the id of the record itself.
func (c Config) ByID(d Direct) bool {
	p := c.property(d)
	return p == "hs_object_id" || p == "ownerId" && c.Source == "owner"
}

// Unique reports whether the source sees to it that no two of its records have the
// same identifier at a time: it is, or has in it, the id of the record or, of people
// with this one resolution key, the e-mail address of a contact (HubSpot knowledge
// base, "Deduplication of records", November 2026).
func (c Config) Unique(resolutionKeys []string) bool {
	if c.Target == people {
		return len(resolutionKeys) == 1 && slices.ContainsFunc(c.Direct, func(d Direct) bool {
			own := c.ByID(d) || c.property(d) == "email" && c.Source == "contact"
			return own && d.To == PersonPrefix+resolutionKeys[0]
		})
	}
	return slices.ContainsFunc(c.Direct, func(d Direct) bool { return d.Identifier && c.ByID(d) })
}
