package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// SecretKeyReference names one key of a Secret in the same namespace.
type SecretKeyReference struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",message="name must be the name of a Secret: lowercase letters, digits, '-' and '.' only, such as openai-admin-key"
	Name string `json:"name"`

	// key of the Secret's data that holds the admin key. Default: api-key.
	// +optional
	// +kubebuilder:default=api-key
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must be a key of a Secret: letters, digits, '-', '_' and '.' only, such as api-key"
	Key string `json:"key,omitempty"`
}

// OrganizationSpec says how to reach one OpenAI organization.
type OrganizationSpec struct {
	// adminKeySecretRef names the Secret with the organization's admin key
	// (sk-admin-...), in the same namespace. A key base-url in the same Secret
	// replaces https://api.openai.com/v1; it must be https, but for loopback
	// hosts. A changed Secret takes effect at the next resync, or at once when the
	// API refuses the old key.
	// +required
	AdminKeySecretRef SecretKeyReference `json:"adminKeySecretRef"`

	// resyncInterval is how often the live organization is read whole, give or
	// take 10%. At least 30s, at most 24h. Default: 10m.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h))+$')",message="resyncInterval must be a duration such as 30s, 10m or 1h30m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h))+$') || (duration(self) >= duration('30s') && duration(self) <= duration('24h'))",message="resyncInterval must be from 30s to 24h; to read the organization now, set the annotation openai.rollcall.dev/sync-requested-at instead"
	ResyncInterval metav1.Duration `json:"resyncInterval,omitzero"`

	// requestsPerMinute is the most requests a minute that rollcall sends to this
	// organization, from 1 to 100000. Where the API takes fewer (429), rollcall
	// finds out how many, for each endpoint, and keeps to that. Of several objects
	// for one organization the lowest holds. Default: 300.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerMinute int32 `json:"requestsPerMinute,omitempty"`

	// mode says whether rollcall changes the organization. Enforce changes it
	// where it differs from what is declared. Observe changes nothing: each
	// object's status.plan says what would be done, deleting an object releases
	// it, and leavers wait. Default: Enforce.
	// +optional
	// +kubebuilder:default=Enforce
	Mode Mode `json:"mode,omitempty"`

	// guard limits what rollcall may do, whatever is declared.
	// +optional
	// +kubebuilder:default={}
	Guard Guard `json:"guard,omitzero"`

	// undeclared says what becomes of what no object declares.
	// +optional
	// +kubebuilder:default={}
	Undeclared Undeclared `json:"undeclared,omitzero"`
}

// Mode says whether rollcall changes the organization.
// +kubebuilder:validation:Enum=Enforce;Observe
type Mode string

const (
	// ModeEnforce changes the organization where it differs from what is declared.
	ModeEnforce Mode = "Enforce"
	// ModeObserve compares and reports, and changes nothing.
	ModeObserve Mode = "Observe"
)

// Guard limits what rollcall may do, whatever is declared.
type Guard struct {
	// minOwners is the number of owners below which rollcall never brings the
	// organization: removals and demotions that would are held until there are
	// more owners. From 1 to 1000. Default: 2.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MinOwners int32 `json:"minOwners,omitempty"`

	// maxRemovals is how many users rollcall may remove in a window, as a number
	// or as a percentage of all users, rounded up and at least 1. Further removals
	// are held until the next window, which begins with who waits longest. The
	// removals of several objects for one organization add up. Default: 10%.
	// +optional
	// +kubebuilder:default="10%"
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? (int(self) >= 0 && int(self) <= 100000) : string(self).matches('^([1-9][0-9]?|100)%$')",message="maxRemovals must be a number from 0 to 100000, or a percentage from 1% to 100%, such as 10%"
	MaxRemovals *intstr.IntOrString `json:"maxRemovals,omitempty"`

	// window is the time in which maxRemovals counts; it begins with its first
	// removal. From 1m to 720h. Default: 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h))+$')",message="window must be a duration such as 30m, 1h or 24h"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h))+$') || (duration(self) >= duration('1m') && duration(self) <= duration('720h'))",message="window must be from 1m to 720h"
	Window metav1.Duration `json:"window,omitzero"`

	// removalDelay is how long after the deletion of their OrgUser a person is
	// removed at the earliest. Until then an OrgUser that names them, under any
	// name, keeps them: a rename is a deletion and a creation, and a mistake can
	// be taken back. From 0s, which waits for nothing, to 8760h. Default: 5m.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h))+$')",message="removalDelay must be a duration such as 0s, 5m or 336h"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}([.][0-9]{1,9})?(ms|s|m|h))+$') || (duration(self) >= duration('0s') && duration(self) <= duration('8760h'))",message="removalDelay must be from 0s to 8760h; for somebody who is to stay, set deletionPolicy: Retain on their OrgUser instead"
	RemovalDelay *metav1.Duration `json:"removalDelay,omitempty"` // a pointer: 0s, which differs from unset, survives a Go client
}

// UndeclaredUsersPolicy says what becomes of users that no OrgUser declares.
// +kubebuilder:validation:Enum=Ignore;Report;Remove
type UndeclaredUsersPolicy string

// UndeclaredRolesPolicy says what becomes of role assignments that no OrgUserRoleBinding declares.
// +kubebuilder:validation:Enum=Ignore;Report;Unassign
type UndeclaredRolesPolicy string

const (
	// UndeclaredUsersIgnore does not look at undeclared users.
	UndeclaredUsersIgnore UndeclaredUsersPolicy = "Ignore"
	// UndeclaredUsersReport counts undeclared users.
	UndeclaredUsersReport UndeclaredUsersPolicy = "Report"
	// UndeclaredUsersRemove removes undeclared users.
	UndeclaredUsersRemove UndeclaredUsersPolicy = "Remove"

	// UndeclaredRolesIgnore does not look at undeclared role assignments.
	UndeclaredRolesIgnore UndeclaredRolesPolicy = "Ignore"
	// UndeclaredRolesReport counts undeclared role assignments.
	UndeclaredRolesReport UndeclaredRolesPolicy = "Report"
	// UndeclaredRolesUnassign takes undeclared role assignments away.
	UndeclaredRolesUnassign UndeclaredRolesPolicy = "Unassign"
)

// Undeclared says what becomes of what no object declares.
type Undeclared struct {
	// users that no OrgUser declares: Ignore; Report counts them in
	// status.undeclaredUsers; Remove removes them, behind the guard, once two
	// whole readings in a row have found them undeclared while every OrgUser was
	// matched with a member, and while no other Organization object stands for the
	// organization. Service accounts, users who are managed through SCIM and the
	// default user are never counted or removed. Default: Report.
	// +optional
	// +kubebuilder:default=Report
	Users UndeclaredUsersPolicy `json:"users,omitempty"`

	// roleAssignments are the direct assignments of roles that are not predefined,
	// to users whom an OrgUser declares, that neither an OrgUserRoleBinding nor
	// the roleID of an OrgUser declares: Ignore; Report counts them in
	// status.undeclaredRoleAssignments; Unassign takes them away, on the same
	// conditions as users. Report and Unassign cost one role list a declared user
	// and resync. Default: Ignore.
	// +optional
	// +kubebuilder:default=Ignore
	RoleAssignments UndeclaredRolesPolicy `json:"roleAssignments,omitempty"`
}

// UserCounts counts the users of the live organization.
type UserCounts struct {
	// total is the number of all users, service accounts among them.
	// +optional
	Total int32 `json:"total"`

	// owners is the number of users with the role owner.
	// +optional
	Owners int32 `json:"owners"`

	// readers is the number of users with the role reader.
	// +optional
	Readers int32 `json:"readers"`

	// serviceAccounts is the number of users that are no persons.
	// +optional
	ServiceAccounts int32 `json:"serviceAccounts"`

	// scimManaged is the number of users that an identity provider manages through
	// SCIM.
	// +optional
	ScimManaged int32 `json:"scimManaged"`
}

// Removals counts the removals of one window of the guard.
type Removals struct {
	// windowStart is when the window began, with its first removal.
	// +required
	WindowStart metav1.Time `json:"windowStart"`

	// count is the number of removals in the window. Each is counted before it is
	// made.
	// +required
	Count int32 `json:"count"`
}

// Leaver is somebody whose OrgUser was deleted, and who is to be removed.
type Leaver struct {
	// userID is the user's ID in the organization.
	// +required
	// +kubebuilder:validation:MaxLength=128
	UserID string `json:"userID"`

	// email is the address that the manifest named. Unset: it named none.
	// +optional
	// +kubebuilder:validation:MaxLength=320
	Email string `json:"email,omitempty"`

	// orgUser is the name of the OrgUser that is gone.
	// +required
	// +kubebuilder:validation:MaxLength=253
	OrgUser string `json:"orgUser"`

	// since is when that OrgUser was deleted.
	// +required
	Since metav1.Time `json:"since"`

	// due is when the person is removed at the earliest: guard.removalDelay after
	// since.
	// +required
	Due metav1.Time `json:"due"`

	// held says what stands against the removal, or why it is not made although it
	// is due. Unset: nothing does.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Held string `json:"held,omitempty"`
}

// OrganizationStatus is the live organization at the last whole reading.
type OrganizationStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// organizationID is the ID that the API at baseURL gave to this object's own
	// admin key, when it last answered it.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	OrganizationID string `json:"organizationID,omitempty"`

	// baseURL is the canonical address of the API that gave organizationID. The
	// two together say which organization it is: what another address says of
	// itself concerns this one in nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	BaseURL string `json:"baseURL,omitempty"`

	// users counts the users of the live organization.
	// +optional
	Users *UserCounts `json:"users,omitempty"`

	// declaredUsers is the number of the namespace's OrgUsers that refer to this
	// Organization.
	// +optional
	DeclaredUsers *int32 `json:"declaredUsers,omitempty"`

	// undeclaredUsers is the number of users that no OrgUser declares; unset with
	// the policy Ignore.
	// +optional
	UndeclaredUsers *int32 `json:"undeclaredUsers,omitempty"`

	// undeclaredRoleAssignments is the number of role assignments of declared
	// users that no object declares; unset with the policy Ignore.
	// +optional
	UndeclaredRoleAssignments *int32 `json:"undeclaredRoleAssignments,omitempty"`

	// leaving are the persons whose OrgUser was deleted, and who are to be removed
	// once they are due. An OrgUser that names one of them ends it. At most 1000;
	// further OrgUsers wait with their finalizer.
	// +optional
	// +listType=map
	// +listMapKey=userID
	// +kubebuilder:validation:MaxItems=1000
	Leaving []Leaver `json:"leaving,omitempty"`

	// leavingUsers is the number of persons in leaving.
	// +optional
	LeavingUsers *int32 `json:"leavingUsers,omitempty"`

	// removals counts the removals of the guard's present or last window.
	// +optional
	Removals *Removals `json:"removals,omitempty"`

	// plan says what would be done about undeclared users and role assignments and
	// is not, because of the mode Observe or the guard. At most 50 lines.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=1024
	Plan []string `json:"plan,omitempty"`

	// lastSyncTime is when the live organization was last read whole.
	// +optional
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`

	// lastHandledSyncRequest is the last value of the annotation
	// openai.rollcall.dev/sync-requested-at that was answered with a whole
	// reading.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledSyncRequest string `json:"lastHandledSyncRequest,omitempty"`

	// conditions are Ready, Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Organization is one OpenAI organization and the credentials to manage it.
// OrgUsers and OrgUserRoleBindings in the same namespace refer to it by name.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=oaiorg,categories={rollcall,openai}
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Users",type=integer,JSONPath=`.status.users.total`
// +kubebuilder:printcolumn:name="Owners",type=integer,JSONPath=`.status.users.owners`
// +kubebuilder:printcolumn:name="Declared",type=integer,JSONPath=`.status.declaredUsers`
// +kubebuilder:printcolumn:name="Undeclared",type=integer,JSONPath=`.status.undeclaredUsers`
// +kubebuilder:printcolumn:name="Leaving",type=integer,JSONPath=`.status.leavingUsers`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Last Sync",type=date,JSONPath=`.status.lastSyncTime`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type Organization struct {
	metav1.TypeMeta `json:",inline"`

	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says how to reach the organization.
	// +required
	Spec OrganizationSpec `json:"spec"`

	// status is the live organization at the last whole reading.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status OrganizationStatus `json:"status,omitzero"`
}

// OrganizationList is a list of Organizations.
//
// +kubebuilder:object:root=true
type OrganizationList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []Organization `json:"items"`
}
