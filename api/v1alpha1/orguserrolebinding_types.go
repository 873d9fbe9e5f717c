package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RoleReference names one role of the organization.
//
// +kubebuilder:validation:XValidation:rule="has(self.id) != has(self.name)",message="set exactly one of id and name"
// +kubebuilder:validation:XValidation:rule="!has(self.name) || !(self.name.lowerAscii() in ['owner', 'reader'])",message="owner and reader cannot be bound; set spec.role on the OrgUser instead"
// +kubebuilder:validation:XValidation:rule="!has(self.id) || !(self.id.startsWith('role-api-organization-owner__') || self.id.startsWith('role-api-organization-reader__'))",message="the predefined roles owner and reader cannot be bound; set spec.role on the OrgUser instead"
type RoleReference struct {
	// id of the role. Exactly one of id and name.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="id must be an ID that the API gave, such as role-abc123"
	ID string `json:"id,omitempty"`

	// name of the role, which must match exactly one role of the organization.
	// Exactly one of id and name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name,omitempty"`
}

// Subject names one user.
//
// +kubebuilder:validation:XValidation:rule="[has(self.orgUser), has(self.email), has(self.userID)].filter(x, x).size() == 1",message="set exactly one of orgUser, email and userID"
type Subject struct {
	// orgUser is the name of an OrgUser in the same namespace, of the same
	// Organization.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",message="orgUser must be the name of an OrgUser: lowercase letters, digits, '-' and '.' only, such as ada; for an address set email instead"
	OrgUser string `json:"orgUser,omitempty"`

	// email is the person's address in the organization, matched without regard to
	// case.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^@\\\\s<>,;]+@[^@\\\\s<>,;]+$')",message="email must be one address without a display name, such as ada@example.com"
	Email string `json:"email,omitempty"`

	// userID is the user's ID in the organization.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="userID must be an ID that the API gave, such as user-abc123"
	UserID string `json:"userID,omitempty"`
}

// OrgUserRoleBindingSpec declares who has one role.
//
// +kubebuilder:validation:XValidation:rule="self.organizationRef == oldSelf.organizationRef",message="organizationRef is immutable; create a new OrgUserRoleBinding for the other Organization"
// +kubebuilder:validation:XValidation:rule="self.roleRef == oldSelf.roleRef",message="roleRef is immutable; create a new OrgUserRoleBinding for the other role and delete this one"
type OrgUserRoleBindingSpec struct {
	// organizationRef names the Organization, in the same namespace. Immutable.
	// Default: default.
	// +optional
	// +kubebuilder:default={name: "default"}
	OrganizationRef OrganizationReference `json:"organizationRef,omitzero"`

	// roleRef names the role. Immutable. Predefined roles cannot be bound: they
	// follow spec.role of the OrgUser.
	// +required
	RoleRef RoleReference `json:"roleRef"`

	// subjects are the users who have the role, each named once, at most 1000.
	// Empty: nobody. --- The list is atomic, since server-side apply knows no set
	// of objects. What a set would see to, three rules do: they compare the pieces
	// 0-329, 330-669 and 670-999 two at a time, because comparing 1000 at once
	// costs more than the API server allows one rule.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:XValidation:rule="self.map(s, has(s.orgUser) ? s.orgUser : has(s.email) ? s.email : has(s.userID) ? s.userID + '/' : '/').slice(0, self.size() > 670 ? 670 : self.size()).distinct().size() == (self.size() > 670 ? 670 : self.size())",message="subjects must name each user once; take the repeated entry out"
	// +kubebuilder:validation:XValidation:rule="self.size() <= 670 || self.map(s, has(s.orgUser) ? s.orgUser : has(s.email) ? s.email : has(s.userID) ? s.userID + '/' : '/').slice(330, self.size()).distinct().size() == self.size() - 330",message="subjects must name each user once; take the repeated entry out"
	// +kubebuilder:validation:XValidation:rule="self.size() <= 670 || (self.map(s, has(s.orgUser) ? s.orgUser : has(s.email) ? s.email : has(s.userID) ? s.userID + '/' : '/').slice(0, 330) + self.map(s, has(s.orgUser) ? s.orgUser : has(s.email) ? s.email : has(s.userID) ? s.userID + '/' : '/').slice(670, self.size())).distinct().size() == self.size() - 340",message="subjects must name each user once; take the repeated entry out"
	Subjects []Subject `json:"subjects"`

	// deletionPolicy says what deleting this object does. Delete unassigns the
	// role from its subjects, but from those to whom another OrgUserRoleBinding or
	// the roleID of an OrgUser gives it; Retain leaves the assignments. Default:
	// Delete.
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// SubjectState says how far one subject is.
// +kubebuilder:validation:Enum=Assigned;Inherited;NotAMember;Pending;Failed
type SubjectState string

const (
	// SubjectAssigned: the user has the role.
	SubjectAssigned SubjectState = "Assigned"
	// SubjectInherited: the user has the role through a group; it is assigned
	// directly if that ends.
	SubjectInherited SubjectState = "Inherited"
	// SubjectNotAMember: no such user in the organization; assigned by itself once
	// they have joined.
	SubjectNotAMember SubjectState = "NotAMember"
	// SubjectPending: work on it goes on by itself.
	SubjectPending SubjectState = "Pending"
	// SubjectFailed: a person must mend it; see the message.
	SubjectFailed SubjectState = "Failed"
)

// SubjectStatus is one subject's state.
type SubjectStatus struct {
	// subject as spec.subjects names it. A subject that spec.subjects no longer
	// names stays listed until the role is unassigned, or somebody else gives it.
	// +required
	Subject Subject `json:"subject"`

	// userID is the user that the subject was resolved to.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	UserID string `json:"userID,omitempty"`

	// state is Assigned, Inherited, NotAMember, Pending or Failed.
	// +required
	State SubjectState `json:"state"`

	// message says why, where the state does not.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// OrgUserRoleBindingStatus is the role's assignments as the organization has
// them.
type OrgUserRoleBindingStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// roleID is the role that spec.roleRef was resolved to.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	RoleID string `json:"roleID,omitempty"`

	// roleName is the name of that role.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	RoleName string `json:"roleName,omitempty"`

	// assigned counts the subjects who have the role, of all subjects: 12/12.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Assigned string `json:"assigned,omitempty"`

	// subjects are the states of the subjects, and of those that were taken out
	// and still have the role.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=4000
	Subjects []SubjectStatus `json:"subjects,omitempty"`

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

// OrgUserRoleBinding gives one role of the organization to many users.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=orgurb,categories={rollcall,openai}
// +kubebuilder:selectablefield:JSONPath=`.status.roleID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.status.roleName`
// +kubebuilder:printcolumn:name="Assigned",type=string,JSONPath=`.status.assigned`
// +kubebuilder:printcolumn:name="Plan",type=string,JSONPath=`.status.plan[0]`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Role ID",type=string,priority=1,JSONPath=`.status.roleID`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type OrgUserRoleBinding struct {
	metav1.TypeMeta `json:",inline"`

	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec declares who has the role.
	// +required
	Spec OrgUserRoleBindingSpec `json:"spec"`

	// status is the role's assignments as the organization has them.
	// +optional
	// +kubebuilder:default={"observedGeneration":-1}
	Status OrgUserRoleBindingStatus `json:"status,omitzero"`
}

// OrgUserRoleBindingList is a list of OrgUserRoleBindings.
//
// +kubebuilder:object:root=true
type OrgUserRoleBindingList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []OrgUserRoleBinding `json:"items"`
}
