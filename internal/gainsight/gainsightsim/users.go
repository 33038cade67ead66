package gainsightsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// The User Management API. Its calls are all or nothing [assumed].

func licenses() []string {
	return []string{"Full", "Viewer", "Viewer_Analytics", "Internal_Collaborator", "External"}
}

// userError is one wrong user of a call.
type userError struct {
	Message string `json:"errorMessage"`
	Code    string `json:"errorCode"` // [assumed]
}

// refuseUsers answers a call with wrong users: the list is flat.
func (c *call) refuseUsers(code, desc string, wrong []userError) answer {
	return c.fail(http.StatusBadRequest, code, desc, map[string]any{"records": nil, "errors": wrong})
}

// usersDone answers a call that was kept.
func (c *call) usersDone(gsids []string) answer {
	records := make([]map[string]any, len(gsids))
	for i, gsid := range gsids {
		records[i] = map[string]any{"Gsid": gsid}
	}
	a := c.ok(map[string]any{"count": len(gsids), "errors": nil, "records": records})
	a.object, a.committed = "gsuser", len(gsids)
	return a
}

// createUsers creates users.
func (s *Sim) createUsers(c *call) answer {
	o := s.must("gsuser")
	body, bad := c.records()
	if bad != nil {
		return c.refuse(bad)
	}
	if bad := s.lookUp(o, body); bad != nil {
		return c.refuseUsers("GU_2403", bad.message, nil)
	}
	changes := make([]change, len(body.Records))
	taken := map[string]bool{}
	var wrong []userError
	for i, record := range body.Records {
		if record["Name"] == nil && (record["FirstName"] != nil || record["LastName"] != nil) {
			first, _ := record["FirstName"].(string)
			last, _ := record["LastName"].(string)
			record["Name"] = strings.TrimSpace(first + " " + last)
		}
		if _, given := record["IsActiveUser"]; !given {
			record["IsActiveUser"] = true
		}
		ch, refused := s.check(o, record)
		if refused == nil {
			refused = s.checkUser(o, record, -1, taken)
		}
		for _, r := range refused {
			wrong = append(wrong, userError{r.desc(), r.code})
		}
		changes[i] = ch
	}
	if len(wrong) > 0 {
		return c.refuseUsers("GU_2401", "Bulk create failed", wrong)
	}
	gsids := make([]string, len(changes))
	for i, ch := range changes {
		gsids[i] = s.add(o, ch)
	}
	return c.usersDone(gsids)
}

// checkUser checks what the User Management API asks of a user: of a new one
// (slot -1), or of the fields that change. taken collects the usernames of the
// call.
func (s *Sim) checkUser(o *object, record map[string]any, slot int32, taken map[string]bool) (wrong []*refusal) {
	must := []string{"Email", "SFDCUserName", "Name"}
	if record["LicenseType"] == "External" || record["SystemType"] == "External" {
		must = append(must, "CompanyID")
	}
	for _, name := range must {
		v, given := record[name]
		if (v == nil || v == "") && (given || slot < 0) {
			wrong = append(wrong, malformed("%s is mandatory", name))
		}
	}
	if license, given := record["LicenseType"]; given && !slices.ContainsFunc(licenses(), func(l string) bool { return l == license }) {
		wrong = append(wrong, malformed("Invalid LicenseType %v", license))
	}
	username, ok := record["SFDCUserName"].(string)
	if !ok {
		return wrong
	}
	// Usernames differ by more than case [assumed].
	others := o.find(o.byName["SFDCUserName"].num, true, textValue(username))
	others = slices.DeleteFunc(others, func(other int32) bool { return other == slot })
	folded := strings.ToLower(username)
	if len(others) > 0 || taken[folded] {
		wrong = append(wrong, malformed("User already exists with SFDCUserName %s", username))
	}
	taken[folded] = true
	return wrong
}

// updateUsers updates users by one key.
func (s *Sim) updateUsers(c *call) answer {
	o := s.must("gsuser")
	key := o.byName[c.URL.Query().Get("key")]
	if key == nil || !slices.Contains([]string{"SFDCUserName", "Gsid", "SfdcUserId"}, key.Name) {
		return c.refuseUsers("GU_2409", "Key not supported", nil)
	}
	body, bad := c.records()
	if bad != nil {
		return c.refuse(bad)
	}
	if bad := s.lookUp(o, body); bad != nil {
		return c.refuseUsers("GU_2403", bad.message, nil)
	}
	changes := make([]change, len(body.Records))
	taken := map[string]bool{}
	code := "GU_2402"
	var wrong []userError
	for i, record := range body.Records {
		ch, refused := s.check(o, record, key.Name)
		ch.slots = o.match([]*field{key}, record, true)
		switch {
		case refused != nil:
		case len(ch.slots) == 0:
			refused = []*refusal{noEntity()}
		case len(ch.slots) > 1:
			refused, code = []*refusal{malformed("Several users match")}, "GU_2411"
		case record["Manager"] != nil && record["Manager"] == gsidOf(o.rows[ch.slots[0]]):
			refused, code = []*refusal{malformed("Same user cannot be manager")}, "GU_2410"
		case key.Name != "SFDCUserName":
			refused = s.checkUser(o, record, ch.slots[0], taken)
		}
		for _, r := range refused {
			wrong = append(wrong, userError{r.desc(), r.code})
		}
		changes[i] = ch
	}
	if len(wrong) > 0 {
		return c.refuseUsers(code, "Bulk update failed", wrong)
	}
	gsids := make([]string, len(changes))
	for i, ch := range changes {
		s.apply(o, ch.slots[0], ch)
		gsids[i] = gsidOf(o.rows[ch.slots[0]])
	}
	return c.usersDone(gsids)
}

// setUserStatus activates or deactivates users.
func (s *Sim) setUserStatus(c *call) answer {
	o := s.must("gsuser")
	status := c.URL.Query().Get("status")
	var gsids []string
	if err := json.Unmarshal(c.body, &gsids); err != nil || len(gsids) == 0 || len(gsids) > maxRecords || status != "true" && status != "false" {
		return c.refuse(malformed("A status and 1 to %d users are needed", maxRecords))
	}
	slots := make([]int32, len(gsids))
	var wrong []userError
	for i, gsid := range gsids {
		_, slot, ok := o.row(gsid)
		if !ok {
			wrong = append(wrong, userError{noEntity().message, noEntity().code})
		}
		slots[i] = slot
	}
	if len(wrong) > 0 {
		return c.refuseUsers("GU_2402", "Bulk update failed", wrong)
	}
	active := change{cells: []cell{{o.byName["IsActiveUser"].num, boolValue(status == "true")}}}
	for _, slot := range slots {
		s.apply(o, slot, active)
	}
	return c.usersDone(gsids)
}

// listUsers answers users; its pages start at 0.
func (s *Sim) listUsers(c *call) answer {
	o := s.must("gsuser")
	var body queryBody
	if bad := c.read(&body); bad != nil {
		return c.refuse(bad)
	}
	p, bad := s.plan(o, body)
	if bad != nil {
		return c.refuse(bad)
	}
	p.offset = body.Page * p.limit
	w := s.switches
	w.BareArray = false
	return c.rows(o, p.sel, p.run(), w)
}
