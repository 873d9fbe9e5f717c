package plan

// DesiredUser is what an OrgUser declares. A field that is not set is not managed.
type DesiredUser struct {
	// Role is owner or reader, or "": not managed.
	Role string
	// RoleID is a role by its ID, or "": not managed.
	RoleID string
	// DeveloperPersona and TechnicalLevel: nil is not managed, "" is none.
	DeveloperPersona, TechnicalLevel *string
}

// ObservedUser is a member as the organization has them. "" is none.
type ObservedUser struct {
	ID, Email                        string
	Role                             string
	DeveloperPersona, TechnicalLevel string
	// HoldsRoleID says whether the user holds DesiredUser.RoleID, directly or not.
	HoldsRoleID bool
}

// Who names the user for people: the email, or the ID of one without.
func (u ObservedUser) Who() string {
	if u.Email != "" {
		return u.Email
	}
	return u.ID
}

// Fields plans the change of one member: no step, or one Update of all the fields that differ.
func Fields(desired DesiredUser, observed ObservedUser) []Step {
	var changes []Change
	if desired.Role != "" && desired.Role != observed.Role {
		changes = append(changes, Change{FieldRole, observed.Role, desired.Role})
	}
	if desired.RoleID != "" && !observed.HoldsRoleID {
		changes = append(changes, Change{FieldRoleID, "", desired.RoleID})
	}
	if p := desired.DeveloperPersona; p != nil && *p != observed.DeveloperPersona {
		changes = append(changes, Change{FieldDeveloperPersona, observed.DeveloperPersona, *p})
	}
	if l := desired.TechnicalLevel; l != nil && *l != observed.TechnicalLevel {
		changes = append(changes, Change{FieldTechnicalLevel, observed.TechnicalLevel, *l})
	}
	if len(changes) == 0 {
		return nil
	}
	return []Step{{
		Verb: Update, UserID: observed.ID, Who: observed.Who(), Changes: changes,
		DemotesOwner: observed.Role == RoleOwner && demotes(changes),
	}}
}

// MayDemote says whether the step would demote an owner if the user were one. The plan may be older than that.
func (s Step) MayDemote() bool { return s.Verb == Remove || demotes(s.Changes) }

// A role by ID may be any role, so setting one on an owner counts as a demotion.
func demotes(changes []Change) bool {
	for _, change := range changes {
		if change.Field == FieldRole && change.To != RoleOwner || change.Field == FieldRoleID {
			return true
		}
	}
	return false
}

// Removal plans the removal of one member.
func Removal(observed ObservedUser) []Step {
	return []Step{{
		Verb: Remove, UserID: observed.ID, Who: observed.Who(),
		DemotesOwner: observed.Role == RoleOwner,
	}}
}
