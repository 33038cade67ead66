package gainsightsim

// addStandardObjects adds the standard objects with the fields that clients have
// been seen to use.
func (s *Sim) addStandardObjects() {
	for _, o := range []struct {
		name, label, kind string
		fields            []Field
	}{
		{"company", "Company", "1P02", companyFields()},
		{"person", "Person", "1P03", personFields()}, // the kind of persons is [assumed]
		{"company_person", "Company Person", "1C01", companyPersonFields()},
		{"gsuser", "User", "1P01", userFields()},
		{"relationship", "Relationship", "1P05", relationshipFields()},
	} {
		s.addObject(o.name, o.label, o.kind)
		for _, f := range o.fields {
			f.Nillable = !f.Required
			s.addField(o.name, f)
		}
	}
}

// Data types and labels beyond those in Gainsight's samples are [assumed].

func companyFields() []Field {
	return []Field{
		{Name: "Name", Label: "Name", DataType: "STRING", Required: true},
		{Name: "Industry", Label: "Industry", DataType: "STRING"},
		{Name: "Arr", Label: "ARR", DataType: "CURRENCY"},
		{Name: "Mrr", Label: "MRR", DataType: "CURRENCY"},
		{Name: "Employees", Label: "Employees", DataType: "NUMBER"},
		{Name: "Users", Label: "Users", DataType: "NUMBER"},
		{
			Name: "Stage", Label: "Stage", DataType: "PICKLIST",
			Options: []string{"New Customer", "Kicked Off", "Launched", "Adopting", "Will Churn", "Churn"},
		},
		{Name: "Status", Label: "Status", DataType: "PICKLIST", Options: []string{"Active", "Inactive", "Churn"}},
		{Name: "CompanyType", Label: "Company Type", DataType: "STRING"},
		{Name: "LifecycleInWeeks", Label: "Lifecycle in Weeks", DataType: "NUMBER"},
		{Name: "CustomerLifetimeInMonths", Label: "Customer Lifetime in Months", DataType: "NUMBER"},
		{Name: "OriginalContractDate", Label: "Original Contract Date", DataType: "DATE"},
		{Name: "RenewalDate", Label: "Renewal Date", DataType: "DATE"},
		{Name: "Csm", Label: "CSM", DataType: "LOOKUP", LookupObject: "gsuser"},
		{Name: "ParentCompany", Label: "Parent Company", DataType: "LOOKUP", LookupObject: "company"},
		{Name: "BillingAddress", Label: "Billing Address", DataType: "STRING", Length: 500},
		{Name: "Summary", Label: "Summary", DataType: "RICHTEXTAREA"},
		{Name: "TickerSymbol", Label: "Ticker Symbol", DataType: "STRING", Length: 50},
		{Name: "Tags", Label: "Tags", DataType: "STRING"},
		{Name: "ManagedAs", Label: "Managed As", DataType: "STRING"},
		{Name: "SfdcAccountId", Label: "SFDC Account ID", DataType: "SFDCID"},
		{Name: "CurrentScore", Label: "Current Score", DataType: "NUMBER", ReadOnly: true},
		{Name: "Nps", Label: "NPS", DataType: "NUMBER", ReadOnly: true},
		{Name: "Csat", Label: "CSAT", DataType: "NUMBER", ReadOnly: true},
		{Name: "ScorecardId", Label: "Scorecard ID", DataType: "STRING", ReadOnly: true},
		{Name: "Trend", Label: "Trend", DataType: "STRING", ReadOnly: true},
	}
}

func personFields() []Field {
	return []Field{
		{Name: "Name", Label: "Name", DataType: "STRING"},
		{Name: "Email", Label: "Email", DataType: "EMAIL", Required: true},
		{Name: "FirstName", Label: "First Name", DataType: "STRING"},
		{Name: "MiddleName", Label: "Middle Name", DataType: "STRING"},
		{Name: "LastName", Label: "Last Name", DataType: "STRING"},
		{Name: "LinkedinUrl", Label: "LinkedIn URL", DataType: "URL"},
		{Name: "Location", Label: "Location", DataType: "STRING"},
		{Name: "Timezone", Label: "Timezone", DataType: "STRING"},
		{Name: "Comments", Label: "Comments", DataType: "RICHTEXTAREA"},
		{Name: "EmailOptOut", Label: "Email Opt Out", DataType: "BOOLEAN"},
		{Name: "ExternalRecordID__gc", Label: "External Record ID", DataType: "STRING"},
		{Name: "MasterRecordID", Label: "Master Record ID", DataType: "STRING"},
		{Name: "MasterAvatarTypeCode", Label: "Master Avatar Type Code", DataType: "STRING"},
		{Name: "DynamicResolutionKey", Label: "Dynamic Resolution Key", DataType: "STRING"},
	}
}

func companyPersonFields() []Field {
	return []Field{
		{Name: "Name", Label: "Name", DataType: "STRING"},
		{Name: "Person_ID", Label: "Person ID", DataType: "LOOKUP", LookupObject: "person", Required: true},
		{Name: "Company_ID", Label: "Company ID", DataType: "LOOKUP", LookupObject: "company", Required: true},
		{Name: "Title", Label: "Title", DataType: "STRING"},
		{Name: "Role", Label: "Role", DataType: "STRING"},
		{Name: "Active", Label: "Active", DataType: "BOOLEAN"},
		{Name: "IsPrimaryCompany", Label: "Is Primary Company", DataType: "BOOLEAN"},
		{Name: "Manager", Label: "Manager", DataType: "LOOKUP", LookupObject: "company_person"},
	}
}

func userFields() []Field {
	return []Field{
		{Name: "Name", Label: "Name", DataType: "STRING", Required: true},
		{Name: "Email", Label: "Email", DataType: "EMAIL", Required: true},
		{Name: "FirstName", Label: "First Name", DataType: "STRING"},
		{Name: "LastName", Label: "Last Name", DataType: "STRING"},
		{Name: "SFDCUserName", Label: "Username", DataType: "STRING", Required: true},
		{Name: "SfdcUserId", Label: "SFDC User ID", DataType: "SFDCID"},
		{Name: "LicenseType", Label: "License Type", DataType: "STRING"},
		{Name: "SystemType", Label: "System Type", DataType: "STRING"},
		{Name: "IsActiveUser", Label: "Is Active User", DataType: "BOOLEAN"},
		{Name: "IsSuperAdmin", Label: "Is Super Admin", DataType: "BOOLEAN"},
		{Name: "Manager", Label: "Manager", DataType: "LOOKUP", LookupObject: "gsuser"},
		{Name: "CompanyID", Label: "Company ID", DataType: "LOOKUP", LookupObject: "company"},
		{Name: "Timezone", Label: "Timezone", DataType: "STRING"},
		{Name: "Title", Label: "Title", DataType: "STRING"},
		{Name: "Locale", Label: "Locale", DataType: "STRING"},
	}
}

func relationshipFields() []Field {
	return []Field{
		{Name: "Name", Label: "Name", DataType: "STRING", Required: true},
		{Name: "CompanyId", Label: "Company", DataType: "LOOKUP", LookupObject: "company", Required: true},
		{Name: "TypeId", Label: "Relationship Type", DataType: "STRING"},
	}
}
