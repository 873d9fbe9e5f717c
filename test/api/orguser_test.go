package api_test

const (
	organizationName = `name must be the name of an Organization: lowercase letters, digits, '-' and '.' only, such as default`
	emailAddress     = `email must be one address without a display name, such as ada@example.com`
	userID           = `userID must be an ID that the API gave, such as user-abc123`
	roleID           = `roleID must be an ID that the API gave, such as role-abc123`
	someIdentity     = `set email, userID or both`
	oneRole          = `set at most one of role and roleID`
	emailStays       = `email cannot be taken out; put it back: userID may stand beside it`
	noEmailLater     = `email cannot be added to a userID; take it out: the userID alone says who it is`
	sameEmail        = `email can change in nothing but its case; put it back, and create another OrgUser for the other address; if it is the same person, delete this one after that`
	userIDStays      = `userID cannot be taken out; put it back`
	sameUserID       = `userID cannot change once it is set; put it back, and create another OrgUser for the other user`
	userStays        = `organizationRef is immutable; create a new OrgUser for the other Organization`
	policies         = `supported values: "Delete", "Retain"`
)

func orgUserRefusals() []refusal {
	return []refusal{
		creating(orgUser, "no spec", `spec: null`,
			`spec: Required value`),
		creating(orgUser, "nobody", `spec: {email: null}`,
			`spec: Invalid value: `+someIdentity),

		creating(orgUser, "an email too short for one", `spec: {email: a@}`,
			`spec.email: Invalid value: "a@": `+emailAddress),
		creating(orgUser, "an email longer than email has", `spec: {email: `+address(255)+`}`,
			`spec.email: Too long: may not be more than 254 bytes`),
		creating(orgUser, "an email without a host", `spec: {email: ada.lovelace}`,
			`spec.email: Invalid value: "ada.lovelace": `+emailAddress),
		creating(orgUser, "an email with a display name", `spec: {email: "Ada <ada@example.com>"}`,
			`spec.email: Invalid value: "Ada <ada@example.com>": `+emailAddress),
		creating(orgUser, "an email in angle brackets", `spec: {email: "<ada@example.com>"}`,
			`spec.email: Invalid value: "<ada@example.com>": `+emailAddress),
		creating(orgUser, "an email with a line break after it", `spec: {email: "ada@example.com\n"}`,
			`spec.email: Invalid value: "ada@example.com\n": `+emailAddress),
		creating(orgUser, "two emails", `spec: {email: "ada@example.com,grace@example.com"}`,
			`spec.email: Invalid value: "ada@example.com,grace@example.com": `+emailAddress),
		updating(orgUser, "another email", ``, `spec: {email: grace.hopper@example.com}`,
			`spec: Invalid value: `+sameEmail),
		updating(orgUser, "another email beside the userID that decides", `spec: {userID: user-ada}`, `spec: {email: grace.hopper@example.com}`,
			`spec: Invalid value: `+sameEmail),
		updating(orgUser, "another email, together with a userID", ``, `spec: {email: grace.hopper@example.com, userID: user-grace}`,
			`spec: Invalid value: `+sameEmail),
		updating(orgUser, "another case of a letter beyond ASCII in an email, where one case is not always one letter",
			`spec: {email: "åda@example.com"}`, `spec: {email: "Åda@example.com"}`,
			`spec: Invalid value: `+sameEmail),
		updating(orgUser, "a userID in place of the email", ``, `spec: {email: null, userID: user-ada}`,
			`spec: Invalid value: `+emailStays),
		updating(orgUser, "the email taken out", ``, `spec: {email: null}`,
			`spec: Invalid value: `+someIdentity, `spec: Invalid value: `+emailStays),
		updating(orgUser, "the email taken out beside a userID", `spec: {userID: user-ada}`, `spec: {email: null}`,
			`spec: Invalid value: `+emailStays),
		updating(orgUser, "an email beside the userID", `spec: {email: null, userID: user-ada}`, `spec: {email: ada.lovelace@example.com}`,
			`spec: Invalid value: `+noEmailLater),
		updating(orgUser, "an email in place of the userID", `spec: {email: null, userID: user-ada}`, `spec: {email: ada.lovelace@example.com, userID: null}`,
			`spec: Invalid value: `+noEmailLater, `spec: Invalid value: `+userIDStays),

		creating(orgUser, "an empty userID", `spec: {email: null, userID: ""}`,
			`spec.userID: Invalid value: "": `+userID),
		creating(orgUser, "a userID longer than the API gives", `spec: {email: null, userID: `+chars(129)+`}`,
			`spec.userID: Too long: may not be more than 128 bytes`),
		creating(orgUser, "a userID that would change the path of a call", `spec: {email: null, userID: user-a/roles}`,
			`spec.userID: Invalid value: "user-a/roles": `+userID),
		updating(orgUser, "another userID", `spec: {email: null, userID: user-ada}`, `spec: {userID: user-grace}`,
			`spec: Invalid value: `+sameUserID),
		updating(orgUser, "another userID beside an email", `spec: {userID: user-ada}`, `spec: {userID: user-grace}`,
			`spec: Invalid value: `+sameUserID),
		updating(orgUser, "the userID in another case, which is another ID", `spec: {userID: user-ada}`, `spec: {userID: user-Ada}`,
			`spec: Invalid value: `+sameUserID),
		updating(orgUser, "the userID taken out", `spec: {email: null, userID: user-ada}`, `spec: {userID: null}`,
			`spec: Invalid value: `+someIdentity, `spec: Invalid value: `+userIDStays),
		updating(orgUser, "the userID taken out beside an email", `spec: {userID: user-ada}`, `spec: {userID: null}`,
			`spec: Invalid value: `+userIDStays),

		creating(orgUser, "a role that users do not have", `spec: {role: admin}`,
			`spec.role: Unsupported value: "admin": supported values: "owner", "reader"`),
		creating(orgUser, "an empty role", `spec: {role: ""}`,
			`spec.role: Unsupported value: "": supported values: "owner", "reader"`),
		creating(orgUser, "a role and a roleID", `spec: {role: reader, roleID: role-reader}`,
			`spec: Invalid value: `+oneRole),
		updating(orgUser, "a roleID beside the role", `spec: {role: reader}`, `spec: {roleID: role-reader}`,
			`spec: Invalid value: `+oneRole),
		creating(orgUser, "an empty roleID", `spec: {roleID: ""}`,
			`spec.roleID: Invalid value: "": `+roleID),
		creating(orgUser, "a roleID longer than the API gives", `spec: {roleID: `+chars(257)+`}`,
			`spec.roleID: Too long: may not be more than 256 bytes`),
		creating(orgUser, "a roleID that is a name", `spec: {roleID: "Usage Viewer"}`,
			`spec.roleID: Invalid value: "Usage Viewer": `+roleID),

		creating(orgUser, "an endless developerPersona", `spec: {developerPersona: `+chars(257)+`}`,
			`spec.developerPersona: Too long: may not be more than 256 bytes`),
		creating(orgUser, "an endless technicalLevel", `spec: {technicalLevel: `+chars(257)+`}`,
			`spec.technicalLevel: Too long: may not be more than 256 bytes`),
		creating(orgUser, "a deletionPolicy of another project", `spec: {deletionPolicy: Orphan}`,
			`spec.deletionPolicy: Unsupported value: "Orphan": `+policies),

		creating(orgUser, "an Organization whose name is empty", `spec: {organizationRef: {name: ""}}`,
			`spec.organizationRef.name: Invalid value: "": `+organizationName),
		creating(orgUser, "an Organization whose name is too long for a name", `spec: {organizationRef: {name: `+chars(254)+`}}`,
			`spec.organizationRef.name: Too long: may not be more than 253 bytes`),
		creating(orgUser, "an Organization whose name is no name", `spec: {organizationRef: {name: team/default}}`,
			`spec.organizationRef.name: Invalid value: "team/default": `+organizationName),
		updating(orgUser, "another Organization", ``, `spec: {organizationRef: {name: other}}`,
			`spec: Invalid value: `+userStays),
		updating(orgUser, "organizationRef taken out where it is not the default", `spec: {organizationRef: {name: other}}`, `spec: {organizationRef: null}`,
			`spec: Invalid value: `+userStays),

		reporting(orgUser, "an endless userID", `status: {userID: `+chars(129)+`}`,
			`status.userID: Too long: may not be more than 128 bytes`),
		reporting(orgUser, "an endless name", `status: {name: `+chars(1025)+`}`,
			`status.name: Too long: may not be more than 1024 bytes`),
		reporting(orgUser, "an endless email", `status: {email: `+chars(321)+`}`,
			`status.email: Too long: may not be more than 320 bytes`),
		reporting(orgUser, "an endless role", `status: {role: `+chars(257)+`}`,
			`status.role: Too long: may not be more than 256 bytes`),
		reporting(orgUser, "an endless developerPersona", `status: {developerPersona: `+chars(1025)+`}`,
			`status.developerPersona: Too long: may not be more than 1024 bytes`),
		reporting(orgUser, "an endless technicalLevel", `status: {technicalLevel: `+chars(1025)+`}`,
			`status.technicalLevel: Too long: may not be more than 1024 bytes`),
		tooLongPlan(orgUser),
		endlessPlanLine(orgUser),
		tooManyConditions(orgUser),
		twoConditionsOfOneType(orgUser),
	}
}
