package v1alpha1

// Types of conditions. They follow kstatus, so that Flux, Argo CD and `kubectl wait` read them right.
const (
	// ConditionReady is True when what the object declares holds in the organization.
	ConditionReady = "Ready"
	// ConditionReconciling is True while there is work that goes on by itself. It is absent otherwise.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when only a person can mend the state. It is absent otherwise.
	ConditionStalled = "Stalled"
)

// Reasons of conditions. Each says what to do about it.
const (
	// ReasonInSync: nothing to do, the organization is as declared.
	ReasonInSync = "InSync"
	// ReasonObserved: nothing; the Organization's mode is Observe, and status.plan says what would be done.
	ReasonObserved = "Observed"
	// ReasonHeld: see which rule of the Organization's guard holds the step, and whether time mends it.
	ReasonHeld = "Held"
	// ReasonPaused: take the annotation openai.rollcall.dev/paused away to go on.
	ReasonPaused = "Paused"
	// ReasonOrganizationNotReady: look at the Organization; this object goes on when it is ready.
	ReasonOrganizationNotReady = "OrganizationNotReady"
	// ReasonNotAMember: invite the person; the object becomes ready by itself once they have joined.
	ReasonNotAMember = "NotAMember"
	// ReasonProgressing: wait; a change waits for its turn, or for an OrgUser that a subject names.
	ReasonProgressing = "Progressing"
	// ReasonRetrying: wait; the last try failed in a way that passes by itself.
	ReasonRetrying = "Retrying"
	// ReasonRejected: the API refused; mend what its message says. Tried again when something of it changes, and else ever
	// more rarely.
	ReasonRejected = "Rejected"
	// ReasonConflict: two objects or two sources disagree; decide which is right.
	ReasonConflict = "Conflict"
	// ReasonInvalidRole: mend spec.roleRef; the role does not exist, is ambiguous or cannot be bound.
	ReasonInvalidRole = "InvalidRole"
	// ReasonUnauthorized: the API refused the admin key; put a valid one into the Secret.
	ReasonUnauthorized = "Unauthorized"
	// ReasonSecretNotFound: create the Secret that spec.adminKeySecretRef names.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonSecretInvalid: the Secret is there, but what it holds cannot be used.
	ReasonSecretInvalid = "SecretInvalid"
)

const (
	// Finalizer keeps an object until its share of the organization has been removed or released.
	Finalizer = "openai.rollcall.dev/finalizer"

	// SyncRequestedAtAnnotation on an Organization asks for a whole reading now, and for whatever failed, was refused or is
	// held to be tried again: any new value does.
	// status.lastHandledSyncRequest repeats the value once the reading is done.
	SyncRequestedAtAnnotation = "openai.rollcall.dev/sync-requested-at"

	// PausedAnnotation with the value "true" on any object stops everything that rollcall does for it, also
	// its deletion, unless that changes nothing in the organization: with the policy Retain, or in a teardown.
	// On an Organization it stops all of its objects, and its leavers wait. What a paused object declares stays
	// declared: nobody whom it names loses anything.
	PausedAnnotation = "openai.rollcall.dev/paused"
)

// DeletionPolicy says what the deletion of an object does in the organization.
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

const (
	// DeletionPolicyDelete removes from the organization what the object declares.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyRetain leaves the organization as it is.
	DeletionPolicyRetain DeletionPolicy = "Retain"
)

// OrganizationReference names an Organization in the same namespace.
type OrganizationReference struct {
	// name of an Organization in the same namespace. Default: default.
	// +optional
	// +kubebuilder:default=default
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",message="name must be the name of an Organization: lowercase letters, digits, '-' and '.' only, such as default"
	Name string `json:"name,omitempty"`
}
