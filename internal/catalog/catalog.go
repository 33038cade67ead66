// Package catalog lists the source's objects: how they are called, which of
// their properties say when a record changed, and what the account must grant to
// read them. It is data; nothing here knows one object from another.
package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Object is one kind of record of the source.
type Object struct {
	// Name is what configurations call it, singular: "company", or the type id of
	// a custom object.
	Name   string
	Plural string // as in the paths of HubSpot's API; "" for a custom object
	Label  string // what people read, singular
	// TypeID is HubSpot's id of the type, such as "0-2"; "owner" for owners, who
	// have none.
	TypeID string
	// ModifiedProperty holds when a record was changed last, CreatedProperty when
	// it was created. "" means that the object does not say: its records are read
	// whole each time.
	ModifiedProperty string
	CreatedProperty  string
	// Scopes are what a connection must have been granted, all of them.
	Scopes []string
	// Page is true if a record has a page of its own in HubSpot.
	Page bool
}

const (
	modified = "hs_lastmodifieddate"
	created  = "hs_createdate"
)

// table is HubSpot's object types with their read scopes (CRM API reference and
// list of scopes, 2026-09).
func table() []Object {
	return []Object{
		{"company", "companies", "Company", "0-2", modified, "createdate", []string{"crm.objects.companies.read"}, true},
		{"contact", "contacts", "Contact", "0-1", "lastmodifieddate", "createdate", []string{"crm.objects.contacts.read"}, true},
		{"owner", "owners", "Owner", "owner", "", "", []string{"crm.objects.owners.read"}, false},
		{"deal", "deals", "Deal", "0-3", modified, "createdate", []string{"crm.objects.deals.read"}, true},
		{"ticket", "tickets", "Ticket", "0-5", modified, "createdate", []string{"tickets"}, true},
		crm("product", "products", "Product", "0-7", "crm.objects.products.read"),
		crm("line_item", "line_items", "Line Item", "0-8", "crm.objects.line_items.read"),
		crm("quote", "quotes", "Quote", "0-14", "crm.objects.quotes.read"),
		crm("communication", "communications", "Communication", "0-18", "crm.objects.contacts.read"),
		crm("feedback_submission", "feedback_submissions", "Feedback Submission", "0-19", "crm.objects.feedback_submissions.read"),
		crm("task", "tasks", "Task", "0-27", "crm.objects.contacts.read"),
		crm("note", "notes", "Note", "0-46", "crm.objects.contacts.read"),
		crm("meeting", "meetings", "Meeting", "0-47", "crm.objects.contacts.read"),
		crm("call", "calls", "Call", "0-48", "crm.objects.contacts.read"),
		crm("email", "emails", "Email", "0-49", "crm.objects.contacts.read"),
		crm("invoice", "invoices", "Invoice", "0-53", "crm.objects.invoices.read"),
		crm("marketing_event", "marketing_events", "Marketing Event", "0-54", "crm.objects.marketing_events.read"),
		crm("subscription", "subscriptions", "Subscription", "0-69", "crm.objects.subscriptions.read"),
		crm("goal_target", "goal_targets", "Goal Target", "0-74", "crm.objects.goals.read"),
		crm("discount", "discounts", "Discount", "0-84", "crm.objects.line_items.read"),
		crm("fee", "fees", "Fee", "0-85", "crm.objects.line_items.read"),
		crm("tax", "taxes", "Tax", "0-86", "crm.objects.line_items.read"),
		crm("commerce_payment", "commerce_payments", "Commerce Payment", "0-101", "crm.objects.commercepayments.read"),
		crm("user", "users", "User", "0-115", "crm.objects.users.read"),
		crm("postal_mail", "postal_mail", "Postal Mail", "0-116", "crm.objects.contacts.read"),
		crm("order", "orders", "Order", "0-123", "crm.objects.orders.read"),
		crm("lead", "leads", "Lead", "0-136", "crm.objects.leads.read"),
		crm("cart", "carts", "Cart", "0-142", "crm.objects.carts.read"),
		crm("service", "services", "Service", "0-162", "crm.objects.services.read"),
		crm("course", "courses", "Course", "0-410", "crm.objects.courses.read"),
		crm("listing", "listings", "Listing", "0-420", "crm.objects.listings.read"),
		crm("appointment", "appointments", "Appointment", "0-421", "crm.objects.appointments.read"),
		crm("project", "projects", "Project", "0-970", "crm.objects.projects.read"),
	}
}

// crm is an object with the common properties.
func crm(name, plural, label, typeID string, scopes ...string) Object {
	return Object{name, plural, label, typeID, modified, created, scopes, true}
}

var custom = regexp.MustCompile(`^2-[0-9]+$`)

// All returns the objects that every account has, in the order in which people
// choose from them.
func All() []Object { return table() }

// Find returns an object by its name, plural or type id, without regard to case.
// A type id such as "2-3453932" is a custom object, whether the account has it
// or not.
func Find(name string) (Object, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if custom.MatchString(name) {
		return Object{
			Name: name, Label: "Custom object " + name, TypeID: name, ModifiedProperty: modified, CreatedProperty: created,
			Scopes: []string{"crm.objects.custom.read", "crm.schemas.custom.read"}, Page: true,
		}, true
	}
	objects := table()
	i := slices.IndexFunc(objects, func(o Object) bool { return name == o.Name || name == o.Plural || name == o.TypeID })
	if i < 0 {
		return Object{}, false
	}
	return objects[i], true
}

// Link is the address of a record's page in HubSpot; "" if it has none or the
// account is not known.
func (o Object) Link(portalID int64, id string) string {
	if portalID == 0 || !o.Page {
		return ""
	}
	return fmt.Sprintf("https://app.hubspot.com/contacts/%d/record/%s/%s", portalID, o.TypeID, id)
}
