package v1alpha1

// Reasons of events, besides those of conditions: an object that comes into trouble, or out of it, says so with
// the reason of its condition.
const (
	// EventUpdated: fields of a user were changed as the object declares.
	EventUpdated = "Updated"
	// EventAssigned: users got the role.
	EventAssigned = "Assigned"
	// EventUnassigned: users lost the role that they had from the binding.
	EventUnassigned = "Unassigned"
	// EventDriftCorrected: what was as declared had been changed past rollcall, and was changed back.
	EventDriftCorrected = "DriftCorrected"
	// EventUndeclaredRemoved: a user or an assignment that no object declares was removed, as spec.undeclared asks.
	EventUndeclaredRemoved = "UndeclaredRemoved"
	// EventUndeclaredBlocked is the reason for an event on an Organization that takes nothing that is undeclared, since an
	// OrgUser is not matched with anybody, or there is none.
	EventUndeclaredBlocked = "UndeclaredBlocked"
	// EventLeaving: an OrgUser went, and its user is to leave after guard.removalDelay.
	EventLeaving = "Leaving"
	// EventDeclaredAgain: an OrgUser names somebody who was to leave, so they stay.
	EventDeclaredAgain = "DeclaredAgain"
	// EventRemoved: a leaver has left the organization.
	EventRemoved = "Removed"
	// EventRetained: the object went, and what it declared stays in the organization; of an Organization, its leavers.
	EventRetained = "Retained"
	// EventReleased: the object went, and there was nothing left to take away.
	EventReleased = "Released"
)
