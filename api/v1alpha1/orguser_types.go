package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UserRole is a user's role in the organization.
// +kubebuilder:validation:Enum=owner;reader
type UserRole string

const (
	// UserRoleOwner manages the organization.
	UserRoleOwner UserRole = "owner"
	// UserRoleReader uses the API.
	UserRoleReader UserRole = "reader"
)

// OrgUserSpec declares one person. A field that is not set is not managed.
//
// +kubebuilder:validation:XValidation:rule="has(self.email) || has(self.userID)",message="set email, userID or both"
// +kubebuilder:validation:XValidation:rule="has(self.email) || !has(oldSelf.email)",message="email cannot be taken out; put it back: userID may stand beside it"
// +kubebuilder:validation:XValidation:rule="!has(self.email) || has(oldSelf.email)",message="email cannot be added to a userID; take it out: the userID alone says who it is"
// +kubebuilder:validation:XValidation:rule="!has(self.email) || !has(oldSelf.email) || self.email.lowerAscii() == oldSelf.email.lowerAscii()",message="email can change in nothing but its case; put it back, and create another OrgUser for the other address; if it is the same person, delete this one after that"
// +kubebuilder:validation:XValidation:rule="has(self.userID) || !has(oldSelf.userID)",message="userID cannot be taken out; put it back"
// +kubebuilder:validation:XValidation:rule="!has(self.userID) || !has(oldSelf.userID) || self.userID == oldSelf.userID",message="userID cannot change once it is set; put it back, and create another OrgUser for the other user"
// +kubebuilder:validation:XValidation:rule="!has(self.role) || !has(self.roleID)",message="set at most one of role and roleID"
// +kubebuilder:validation:XValidation:rule="self.organizationRef == oldSelf.organizationRef",message="organizationRef is immutable; create a new OrgUser for the other Organization"
type OrgUserSpec struct {
	// organizationRef names the Organization, in the same namespace. Immutable.
	// Default: default.
	// +optional
	// +kubebuilder:default={name: "default"}
	OrganizationRef OrganizationReference `json:"organizationRef,omitzero"`

	// email is the person's address in the organization, matched without regard to
	// case. It can change in nothing but the case of its letters A to Z. At least
	// one of email and userID.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^@\\\\s<>,;]+@[^@\\\\s<>,;]+$')",message="email must be one address without a display name, such as ada@example.com"
	Email string `json:"email,omitempty"`

	// userID is the user's ID in the organization. With both, the ID says who it
	// is, and email is checked against the address that the user has. It may be
	// added beside an email later, and cannot change once it is set. At least one
	// of email and userID.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="userID must be an ID that the API gave, such as user-abc123"
	UserID string `json:"userID,omitempty"`

	// role in the organization: owner or reader. Unset: not managed. At most one
	// of role and roleID.
	// +optional
	Role UserRole `json:"role,omitempty"`

	// roleID is a role by its ID, sent as role_id. Unset: not managed. At most one
	// of role and roleID.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="roleID must be an ID that the API gave, such as role-abc123"
	RoleID string `json:"roleID,omitempty"`

	// developerPersona is the person's developer persona. Unset: not managed. "":
	// cleared.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	DeveloperPersona *string `json:"developerPersona,omitempty"`

	// technicalLevel is the person's technical level. Unset: not managed. "":
	// cleared.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	TechnicalLevel *string `json:"technicalLevel,omitempty"`

	// deletionPolicy says what deleting this object does. Delete: the person is
	// listed in status.leaving of the Organization and removed from the
	// organization after its guard.removalDelay, behind the guard, unless an
	// OrgUser names them again meanwhile. Retain: they stay in the organization.
	// Default: Delete.
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// OrgUserStatus is the person as the organization has them.
type OrgUserStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// userID is the ID of the user whom the object was matched with. It stays when
	// that user leaves or has another address.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	UserID string `json:"userID,omitempty"`

	// name is the person's name in the organization.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`

	// email is the person's address in the organization.
	// +optional
	// +kubebuilder:validation:MaxLength=320
	Email string `json:"email,omitempty"`

	// role in the organization.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Role string `json:"role,omitempty"`

	// developerPersona in the organization. Unset: none.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	DeveloperPersona string `json:"developerPersona,omitempty"`

	// technicalLevel in the organization. Unset: none.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	TechnicalLevel string `json:"technicalLevel,omitempty"`

	// addedAt is when the person was added to the organization.
	// +optional
	AddedAt *metav1.Time `json:"addedAt,omitempty"`

	// scimManaged says that an identity provider manages the user through SCIM.
	// +optional
	ScimManaged bool `json:"scimManaged,omitempty"`

	// plan says what would be done and is not, because of the mode Observe or the
	// guard.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MaxLength=1024
	Plan []string `json:"plan,omitempty"`

	// conditions are Ready, Reconciling and Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// OrgUser declares one person in an OpenAI organization. rollcall adopts the
// member with this email or ID and keeps the fields that are set; it invites
// nobody.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=orguser,categories={rollcall,openai}
// +kubebuilder:selectablefield:JSONPath=`.status.userID`
// +kubebuilder:selectablefield:JSONPath=`.spec.userID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Email",type=string,JSONPath=`.spec.email`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.status.role`
// +kubebuilder:printcolumn:name="Plan",type=string,JSONPath=`.status.plan[0]`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Persona",type=string,priority=1,JSONPath=`.status.developerPersona`
// +kubebuilder:printcolumn:name="Level",type=string,priority=1,JSONPath=`.status.technicalLevel`
// +kubebuilder:printcolumn:name="User ID",type=string,priority=1,JSONPath=`.status.userID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type OrgUser struct {
	metav1.TypeMeta `json:",inline"`

	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec declares the person.
	// +required
	Spec OrgUserSpec `json:"spec"`

	// status is the person as the organization has them.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status OrgUserStatus `json:"status,omitzero"`
}

// OrgUserList is a list of OrgUsers.
//
// +kubebuilder:object:root=true
type OrgUserList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []OrgUser `json:"items"`
}
