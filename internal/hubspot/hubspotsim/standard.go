package hubspotsim

import (
	"slices"
	"strings"
)

// typeTable lists the standard objects: id, plural, singular, scopes. Newer
// ones, marked +, must be activated in a portal.
const typeTable = `
0-1 contacts contact crm.objects.contacts.read
0-2 companies company crm.objects.companies.read
0-3 deals deal crm.objects.deals.read
0-5 tickets ticket tickets
0-7 products product crm.objects.products.read,e-commerce
0-8 line_items line_item crm.objects.line_items.read,e-commerce
0-14 quotes quote crm.objects.quotes.read
0-18 communications communication crm.objects.contacts.read
0-19 feedback_submissions feedback_submission crm.objects.feedback_submissions.read
0-27 tasks task crm.objects.contacts.read,crm.objects.tasks.read
0-46 notes note crm.objects.contacts.read,crm.objects.notes.read
0-47 meetings meeting crm.objects.contacts.read,crm.objects.meetings.read
0-48 calls call crm.objects.contacts.read,crm.objects.calls.read
0-49 emails email crm.objects.contacts.read,crm.objects.emails.read
0-53 invoices invoice crm.objects.invoices.read,e-commerce
0-54 marketing_events marketing_event crm.objects.marketing_events.read
0-69 subscriptions subscription crm.objects.subscriptions.read
0-74 goal_targets goal_target crm.objects.goals.read
0-84 discounts discount crm.objects.line_items.read
0-85 fees fee crm.objects.line_items.read
0-86 taxes tax crm.objects.line_items.read
0-101 commerce_payments commerce_payment crm.objects.commercepayments.read
0-115 users user crm.objects.users.read
0-116 postal_mail postal_mail crm.objects.contacts.read
0-123 orders order crm.objects.orders.read
0-136 leads lead crm.objects.leads.read
0-142 carts cart crm.objects.carts.read
0-162 services service crm.objects.services.read +
0-410 courses course crm.objects.courses.read +
0-420 listings listing crm.objects.listings.read +
0-421 appointments appointment crm.objects.appointments.read +
0-970 projects project crm.objects.projects.read +
`

func standardTypes() []*objectType {
	var out []*objectType
	for line := range strings.Lines(strings.TrimSpace(typeTable)) {
		f := strings.Fields(line)
		t := &objectType{
			id: f[0], plural: f[1], singular: f[2], scopes: strings.Split(f[3], ","), inactive: len(f) > 4,
			label:       strings.ToUpper(f[2][:1]) + strings.ReplaceAll(f[2][1:], "_", " "),
			createdName: "hs_createdate", modifiedName: "hs_lastmodifieddate",
		}
		t.defaults = []string{"hs_createdate", "hs_lastmodifieddate"}
		switch t.plural {
		case "contacts":
			t.createdName, t.modifiedName = "createdate", "lastmodifieddate"
			t.defaults = []string{"createdate", "email", "firstname", "lastmodifieddate", "lastname"}
		case "companies":
			t.createdName = "createdate"
			t.defaults = []string{"createdate", "domain", "hs_lastmodifieddate", "name"}
		case "deals":
			t.createdName = "createdate"
			t.defaults = []string{"amount", "closedate", "createdate", "dealname", "dealstage", "hs_lastmodifieddate", "pipeline"}
		case "tickets":
			t.createdName = "createdate"
			t.defaults = strings.Fields("content createdate hs_lastmodifieddate hs_pipeline hs_pipeline_stage hs_ticket_category hs_ticket_priority subject")
		}
		out = append(out, t)
	}
	return out
}

// schemaScope lets an app read the definitions of the type.
func (t *objectType) schemaScope() string {
	if t.schema != nil {
		return "crm.schemas.custom.read"
	}
	return "crm.schemas." + t.plural + ".read"
}

// allScopes are the scopes that this package knows.
func allScopes() []string {
	out := []string{"oauth", "crm.objects.owners.read", "crm.objects.custom.read", "crm.schemas.custom.read"}
	for _, t := range standardTypes() {
		for _, scope := range append(slices.Clone(t.scopes), t.schemaScope()) {
			if !slices.Contains(out, scope) {
				out = append(out, scope)
			}
		}
	}
	return out
}

// Property tables: name | label | type | field type | marks. Marks: calc,
// hidden, readonly, unique, currency, owner, ref=X, sensitive, options=A:Label,B.
const commonTable = `
hs_object_id | Record ID | number | number | readonly
hubspot_owner_id | Owner | enumeration | select | owner
hubspot_owner_assigneddate | Owner assigned date | datetime | date | readonly
hubspot_team_id | HubSpot team | enumeration | select | readonly
hs_created_by_user_id | Created by user ID | number | number | readonly
hs_updated_by_user_id | Updated by user ID | number | number | readonly
hs_merged_object_ids | Merged record IDs | enumeration | checkbox | readonly
hs_object_source_label | Record source | enumeration | select | readonly,options=CRM_UI:CRM UI,IMPORT:Import,INTEGRATION:Integration,FORM:Form
hs_all_owner_ids | All owner IDs | enumeration | checkbox | readonly,hidden
`

const plainTable = `
hs_createdate | Create date | datetime | date | readonly
hs_lastmodifieddate | Last modified date | datetime | date | readonly
hs_name | Name | string | text |
hs_body | Body | string | textarea |
hs_status | Status | enumeration | select | options=OPEN:Open,DONE:Done
hs_amount | Amount | number | number | currency
`

const stages = "options=subscriber:Subscriber,lead:Lead,marketingqualifiedlead:Marketing qualified lead,salesqualifiedlead:Sales qualified lead,opportunity:Opportunity,customer:Customer,evangelist:Evangelist,other:Other"

const industries = "options=ACCOUNTING:Accounting,AUTOMOTIVE:Automotive,BANKING:Banking,BIOTECHNOLOGY:Biotechnology,COMPUTER_SOFTWARE:Computer software,CONSTRUCTION:Construction,EDUCATION_MANAGEMENT:Education management,FOOD_BEVERAGES:Food and beverages,HOSPITAL_HEALTH_CARE:Hospital and health care,INSURANCE:Insurance,LOGISTICS_AND_SUPPLY_CHAIN:Logistics and supply chain,MACHINERY:Machinery,OIL_ENERGY:Oil and energy,RETAIL:Retail,TELECOMMUNICATIONS:Telecommunications"

const companyTable = `
createdate | Create date | datetime | date |
hs_lastmodifieddate | Last modified date | datetime | date | readonly
name | Company name | string | text |
domain | Company domain name | string | text |
website | Website URL | string | text |
phone | Phone number | string | phonenumber |
industry | Industry | enumeration | select | ` + industries + `
type | Type | enumeration | select | options=PROSPECT:Prospect,PARTNER:Partner,RESELLER:Reseller,VENDOR:Vendor,OTHER:Other
lifecyclestage | Lifecycle stage | enumeration | radio | ` + stages + `
description | Description | string | textarea |
about_us | About us | string | textarea |
address | Street address | string | text |
address2 | Street address 2 | string | text |
city | City | string | text |
state | State/region | string | text |
zip | Postal code | string | text |
country | Country/region | string | text |
timezone | Time zone | string | text |
numberofemployees | Number of employees | number | number |
annualrevenue | Annual revenue | number | number | currency
founded_year | Year founded | string | text |
is_public | Is public | bool | booleancheckbox |
total_money_raised | Total money raised | string | text |
linkedin_company_page | LinkedIn company page | string | text |
twitterhandle | Twitter handle | string | text |
hs_lead_status | Lead status | enumeration | radio | options=NEW:New,OPEN:Open,IN_PROGRESS:In progress,CONNECTED:Connected,UNQUALIFIED:Unqualified
hs_parent_company_id | Parent company | number | number | ref=COMPANY
hs_num_child_companies | Number of child companies | number | number | calc
num_associated_contacts | Number of associated contacts | number | number | calc
num_associated_deals | Number of associated deals | number | calculation_rollup | calc
total_revenue | Total revenue | number | number | calc,currency
hs_analytics_num_visits | Number of sessions | number | number | calc
notes_last_contacted | Last contacted | datetime | date | readonly
notes_last_updated | Last activity date | datetime | date | readonly
closedate | Close date | datetime | date |
first_contact_createdate | First contact create date | datetime | date | readonly
hs_is_target_account | Target account | bool | booleancheckbox |
hs_csm_sentiment | Customer success sentiment | enumeration | select | options=at_risk:At risk,neutral:Neutral,healthy:Healthy
hs_ideal_customer_profile | Ideal customer profile tier | enumeration | select | options=tier_1:Tier 1,tier_2:Tier 2,tier_3:Tier 3
contract_renewal_date | Contract renewal date | date | date |
customer_regions | Regions | enumeration | checkbox | options=AMER:Americas,EMEA:Europe and Africa,APAC:Asia Pacific
`

const contactTable = `
createdate | Create date | datetime | date | readonly
lastmodifieddate | Last modified date | datetime | date | readonly
hs_lastmodifieddate | Object last modified date | datetime | date | readonly,hidden
email | Email | string | text | unique
hs_additional_emails | Additional email addresses | enumeration | checkbox | readonly
firstname | First name | string | text |
lastname | Last name | string | text |
salutation | Salutation | string | text |
phone | Phone number | string | phonenumber |
mobilephone | Mobile phone number | string | phonenumber |
fax | Fax number | string | phonenumber |
jobtitle | Job title | string | text |
company | Company name | string | text |
associatedcompanyid | Primary associated company ID | number | number | ref=COMPANY
website | Website URL | string | text |
address | Street address | string | text |
city | City | string | text |
state | State/region | string | text |
zip | Postal code | string | text |
country | Country/region | string | text |
date_of_birth | Date of birth | date | date | sensitive
hs_language | Preferred language | enumeration | select | options=en:English,de:German,fr:French,es:Spanish
hs_timezone | Time zone | enumeration | select | options=europe_slash_berlin:UTC +01:00 Europe Berlin,us_slash_eastern:UTC -05:00 US Eastern
lifecyclestage | Lifecycle stage | enumeration | radio | ` + stages + `
hs_lead_status | Lead status | enumeration | radio | options=NEW:New,OPEN:Open,IN_PROGRESS:In progress,CONNECTED:Connected,UNQUALIFIED:Unqualified
hs_buying_role | Buying role | enumeration | checkbox | options=DECISION_MAKER:Decision maker,CHAMPION:Champion,BUDGET_HOLDER:Budget holder,END_USER:End user
hs_persona | Persona | enumeration | select | options=persona_1:Persona 1,persona_2:Persona 2
hs_seniority | Seniority | enumeration | select | options=entry:Entry,manager:Manager,director:Director,vp:VP,executive:Executive
industry | Industry | string | text |
annualrevenue | Annual revenue | string | text |
hs_email_optout | Unsubscribed from all email | bool | booleancheckbox | readonly
hs_email_bounce | Marketing emails bounced | number | number | calc
hs_email_domain | Email domain | string | text | calc
hs_calculated_merged_vids | Merged vids with timestamps | enumeration | text | readonly
hs_is_unworked | Contact unworked | bool | calculation_equation | calc
hubspotscore | HubSpot score | number | calculation_score | calc
num_associated_deals | Number of associated deals | number | number | calc
num_notes | Number of sales activities | number | number | calc
notes_last_contacted | Last contacted | datetime | date | readonly
notes_last_updated | Last activity date | datetime | date | readonly
closedate | Close date | datetime | date |
hs_analytics_source | Original source | enumeration | select | options=ORGANIC_SEARCH:Organic search,DIRECT_TRAFFIC:Direct traffic,OFFLINE:Offline sources,REFERRALS:Referrals
hs_marketable_status | Marketing contact status | enumeration | select | options=true:Marketing contact,false:Non-marketing contact
hs_linkedin_url | LinkedIn URL | string | text |
twitterhandle | Twitter username | string | text |
`

const dealTable = `
createdate | Create date | datetime | date |
hs_lastmodifieddate | Last modified date | datetime | date | readonly
dealname | Deal name | string | text |
amount | Amount | number | number | currency,per=deal_currency_code
deal_currency_code | Currency | enumeration | select | options=USD:US Dollar,EUR:Euro
closedate | Close date | datetime | date |
dealstage | Deal stage | enumeration | radio | options=appointmentscheduled:Appointment scheduled,contractsent:Contract sent,closedwon:Closed won,closedlost:Closed lost
pipeline | Pipeline | enumeration | select | options=default:Sales pipeline
dealtype | Deal type | enumeration | radio | options=newbusiness:New business,existingbusiness:Existing business
description | Deal description | string | textarea |
hs_arr | Annual recurring revenue | number | number | calc,currency
hs_mrr | Monthly recurring revenue | number | number | calc,currency
hs_is_closed | Is deal closed | bool | calculation_equation | calc
hs_forecast_probability | Forecast probability | number | number |
num_associated_contacts | Number of associated contacts | number | number | calc
`

const ticketTable = `
createdate | Create date | datetime | date |
hs_lastmodifieddate | Last modified date | datetime | date | readonly
subject | Ticket name | string | text |
content | Ticket description | string | textarea |
hs_pipeline | Pipeline | enumeration | select | options=0:Support pipeline
hs_pipeline_stage | Ticket status | enumeration | select | options=1:New,2:Waiting on contact,3:Waiting on us,4:Closed
hs_ticket_category | Category | enumeration | checkbox | options=PRODUCT_ISSUE:Product issue,BILLING_ISSUE:Billing issue,FEATURE_REQUEST:Feature request,GENERAL_INQUIRY:General inquiry
hs_ticket_priority | Priority | enumeration | select | options=LOW:Low,MEDIUM:Medium,HIGH:High,URGENT:Urgent
closed_date | Close date | datetime | date |
time_to_close | Time to close | number | number | calc
`

// standardProperties are the properties that each portal has from the start.
func standardProperties(plural string) []Property {
	table := plainTable
	switch plural {
	case "companies":
		table = companyTable
	case "contacts":
		table = contactTable
	case "deals":
		table = dealTable
	case "tickets":
		table = ticketTable
	}
	var out []Property
	for line := range strings.Lines(strings.TrimSpace(commonTable) + table) {
		if f := strings.Split(line, "|"); len(f) == 5 {
			out = append(out, parseProperty(f))
		}
	}
	return out
}

func parseProperty(f []string) Property {
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	d := Property{Name: f[0], Label: f[1], Type: f[2], FieldType: f[3]}
	marks, options, _ := strings.Cut(f[4], "options=")
	for _, mark := range strings.Split(marks, ",") {
		name, value, _ := strings.Cut(mark, "=")
		switch name {
		case "calc":
			d.Calculated = true
		case "hidden":
			d.Hidden = true
		case "readonly":
			d.ReadOnly = true
		case "unique":
			d.HasUniqueValue = true
		case "currency":
			d.ShowsCurrency = true
		case "per":
			d.CurrencyPropertyName = value
		case "owner":
			d.ExternalOptions, d.ReferencedObjectType = true, "OWNER"
		case "ref":
			d.ReferencedObjectType = value
		case "sensitive":
			d.DataSensitivity = "sensitive"
		}
	}
	for _, option := range strings.Split(options, ",") {
		if value, label, ok := strings.Cut(option, ":"); ok {
			d.Options = append(d.Options, Option{Label: label, Value: value})
		}
	}
	return d
}
