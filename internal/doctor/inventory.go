package doctor

// mark is one point that the vendors' documents leave open, or that others only
// report.
type mark struct {
	id, assumption string
	does           string // what the connector does about it
	never          string // why it cannot be checked; "" = it can
	write          bool   // only by writing
}

// Reasons that many points share.
const (
	unused   = "The connector does not use it."
	quota    = "It shows only when the quota is spent."
	takesOne = "A test user would take a licence. A user that is refused goes to the error file alone, whatever the code."
)

// hubspotMarks are the open points of HubSpot's API, state of November 2026.
func hubspotMarks() []mark {
	return []mark{
		{id: "H1", assumption: "The API is served at this address, in this version.", does: "Uses the address and the version of the settings."},
		{id: "H2", assumption: "The token leads to the account of the connection.", does: "Names rows and fields after the account's number."},
		{id: "H3", assumption: "The granted scopes let the jobs read.", does: "Stops only the job that lacks one, and names it."},
		{id: "H4", assumption: "Refused OAuth calls name the reason in status and error.", does: "Gives a connection up only if its refresh token is refused twice."},
		{id: "H5", assumption: "A person's refusal leads back with error=access_denied.", never: "Somebody would have to refuse. Any other answer without a code is told as a failed authorization."},
		{id: "H6", assumption: "An authorization code works once, for about a minute.", never: "Codes come from people. They are exchanged at once, and never twice."},
		{id: "H7", assumption: "110 calls in 10 seconds are allowed.", does: "Stays below the limit of the settings; slows down when HubSpot says 429."},
		{id: "H8", assumption: "Search has a budget of its own.", does: "Counts searches apart; slows down when HubSpot says 429."},
		{id: "H9", assumption: "A 429 of search is named SECONDLY.", never: quota + " The path decides where the name is another."},
		{id: "H10", assumption: "Names of properties are taken in one parameter, with commas.", does: "Sends commas only."},
		{id: "H11", assumption: "A list is ordered by id, and its cursor is the id of the next record.", does: "Sends back the cursor it was given, whatever it means."},
		{id: "H12", assumption: "Records that were merged away are in no list.", does: "Follows the survivor's list of merged ids."},
		{id: "H13", assumption: "One cursor reads 100 to 330 records a second.", does: "Takes the time it takes; the quota allows 1,100 a second."},
		{id: "H14", assumption: "Associations: records without any are named in a 207.", does: "Takes records that are named for records without associations."},
		{id: "H15", assumption: "Ids of associated records are numbers or text.", does: "Takes both."},
		{id: "H16", assumption: "Search beyond 10,000 records is a 400.", does: "Never goes there: each page asks for ids above the last one."},
		{id: "H17", assumption: "Contacts are found by lastmodifieddate, others by hs_lastmodifieddate.", does: "Asks each object by its own property."},
		{id: "H18", assumption: "Search orders and filters by hs_object_id.", does: "Pages by ascending ids; sorts and checks each page again."},
		{id: "H19", assumption: "The 3,000 characters of a search count the query text alone.", does: "Keeps the whole body below 3,000; reads long lists of properties by id."},
		{id: "H20", assumption: "Addresses of 7,000 characters are taken.", does: "Reads by id what needs a longer address."},
		{id: "H21", assumption: "Calculated properties send no webhooks.", never: "Somebody would have to change a record. A run in mode full finds such changes."},
	}
}

// gainsightMarks are the open points of Gainsight's APIs, state of November 2026.
func gainsightMarks() []mark {
	return []mark{
		{id: "G1", assumption: "The organisation answers at this address, and allows that of this machine.", does: "Uses the address of the settings, and follows no redirect."},
		{id: "G2", assumption: "An M2M token is given for a form with grant_type.", does: "Sends the body that was found to work."},
		{id: "G3", assumption: "An M2M token works for data calls.", does: "Sends the token as Bearer, and no access key."},
		{id: "G4", assumption: "Refused credentials are a 401, or the code GSOBJ_1024.", does: "Tells both as refused credentials; any other answer as an invalid request."},
		{id: "G5", assumption: "Unknown paths and objects are told apart by code or text.", does: "Says which object is missing, or to check the address."},
		{id: "G6", assumption: "Answers may set cookies (AWSALB).", does: "Keeps none."},
		{id: "G7", assumption: "50,000 calls a day are allowed, or 100,000.", does: "Stays below the limit of the settings (GAINSIGHT_DAY_LIMIT), 50,000 if there is none."},
		{id: "G8", assumption: "A spent quota is a 429, GS_APIG_2404 or GU_2400, until the next minute of the clock.", never: quota + " Any of the three is waited for."},
		{id: "G9", assumption: "The quota is shared with other integrations.", never: "Their use cannot be seen. A refused call lowers what is used until the next window."},
		{id: "G10", assumption: "No key makes an insert safe to repeat.", never: "Nothing tells. Rows are looked up by their identifiers before each insert."},
		{id: "G11", assumption: "Fields are described by the call for one object.", does: "Uses the call that was found to work."},
		{id: "G12", assumption: "An unknown object is OBJECT_NOT_FOUND.", does: "Says which object to create."},
		{id: "G13", assumption: "Paths name objects in lower case.", does: "Uses the names that were found to work."},
		{id: "G14", assumption: "The standard fields have their known API names.", does: "Takes them by name; all other fields by label, as described."},
		{id: "G15", assumption: "Custom objects that are transactional are those that can be written.", does: "Does not rely on it: a write to another one is refused, and told."},
		{id: "G16", assumption: "Rows come in data.records.", does: "Reads both forms."},
		{id: "G17", assumption: "Dates are read as text.", does: "Reads text and milliseconds; compares none."},
		{id: "G18", assumption: "Empty fields may be absent.", does: "Takes an absent field for an empty one."},
		{id: "G19", assumption: "A read without rows is result:true with an empty list.", does: "Takes all documented forms for no rows, anything else for an error."},
		{id: "G20", assumption: "Conditions IN and GT and the order of GSIDs work.", does: "Pages by GSID, and stops if a page comes twice."},
		{id: "G21", assumption: "An IN takes 50 values.", does: "Asks for as many at a time as were found to work."},
		{id: "G22", assumption: "A read gives up to 5,000 rows.", does: "Reads pages of the size that was found."},
		{id: "G23", assumption: "An unknown field is refused.", does: "Sends only fields that are described."},
		{id: "G24", assumption: "Comparisons do not tell upper case from lower case.", does: "Finds rows by asking, where they do not; by reading the whole object where they do and a key has letters."},
		{id: "G25", assumption: "GSIDs have 36 characters, of which the objects' rows share 18.", does: "Saves memory by it, and does not rely on it."},
		{id: "G26", assumption: "An insert answers 200 with GSIDs in the order of the request.", does: "Takes the GSIDs by order; looks rows up if their number is another.", write: true},
		{id: "G27", assumption: "A refused batch stores nothing, and says why in nested lists.", does: "Reads any nesting; halves the batch until the guilty row is alone.", write: true},
		{id: "G28", assumption: "An update answers 200, and echoes rows.", does: "Needs no echo.", write: true},
		{id: "G29", assumption: "Fields that an update does not name are left alone.", does: "Sends the fields of the job, and no others.", write: true},
		{id: "G30", assumption: "An update may repeat a key that is unchanged.", does: "Sends the identifiers with each update.", write: true},
		{id: "G31", assumption: "An update of an unknown row is refused (GSOBJ_1011), and inserts none.", does: "Looks the row up again by its identifiers.", write: true},
		{id: "G32", assumption: "A DATETIME is taken as 2026-11-30T15:04:05.000+0000.", does: "Writes the form that was found to work.", write: true},
		{id: "G33", assumption: "A DATE is taken as 2026-11-30.", does: "Writes the form that was found to work.", write: true},
		{id: "G34", assumption: "Several items are taken joined with semicolons.", does: "Writes the form that was found to work.", write: true},
		{id: "G35", assumption: "A dropdown item is taken by its label.", does: "Writes labels.", write: true},
		{id: "G36", assumption: "A deletion answers 200 with a sentence.", does: "Takes any answer without an error code.", write: true},
		{id: "G37", assumption: "A person needs an e-mail address.", does: "Rejects contacts without any key value before they are sent.", write: true},
		{id: "G38", assumption: "A person at an unknown company is refused.", does: "Writes companies first; such a contact goes to the error file.", write: true},
		{id: "G39", assumption: "The answer for a person has its GSID.", does: "Takes the GSID if it is there, and needs none.", write: true},
		{id: "G40", assumption: "Persons are matched by e-mail without case.", does: "Takes addresses that differ in case alone for one person.", write: true},
		{id: "G41", assumption: "A person keeps the companies that a call does not name.", does: "Names the one company of the contact.", write: true},
		{id: "G42", assumption: "The person resolution key is Email.", never: "No call tells it. Apply a configuration with the keys of Administration > People if they are others."},
		{id: "G43", assumption: "Users are written with Email, SFDCUserName and Name; refusals are GU_2401 to GU_2411.", never: takesOne},
		{id: "G44", assumption: "Users are read as rows of gsuser, outside the quota of user calls.", never: quota + " They are counted as ordinary calls."},
		{id: "G45", assumption: "Look-ups in the body of a write have the form of the Timeline API.", never: unused + " It resolves look-ups itself, and sends GSIDs."},
		{id: "G46", assumption: "A key of an update that matches several rows changes all of them; keys are of four types.", never: unused + " It updates by GSID alone."},
		{id: "G47", assumption: "Parentheses in conditions work.", never: unused},
		{id: "G48", assumption: "People can be sent in bulk, without waiting.", never: unused + " It sends them one by one, which is faster at the documented quotas."},
		{id: "G49", assumption: "Relationships of a person travel as a list.", never: unused},
		{id: "G50", assumption: "M2M clients cannot call the Event APIs; there is a list of users, a bulk export, SCIM.", never: unused},
		{id: "G51", assumption: "Numbers may be written as text, dropdown items as GSIDs; blanks in names become underscores.", never: unused + " It writes numbers and labels, and takes names as described."},
		{id: "G52", assumption: "Other standard objects that are createable can be written.", never: "Only a write to each would tell. What is refused is told with the first run."},
	}
}
