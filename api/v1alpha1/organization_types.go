package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// organization, from 1 to 100000. Where the API asks for less (429,
	// Retry-After), that is kept too. Default: 300.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	RequestsPerMinute int32 `json:"requestsPerMinute,omitempty"`
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

// OrganizationStatus is the live organization at the last whole reading.
type OrganizationStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// organizationID is the ID that the API gives for the organization of the
	// admin key.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	OrganizationID string `json:"organizationID,omitempty"`

	// users counts the users of the live organization.
	// +optional
	Users *UserCounts `json:"users,omitempty"`

	// declaredUsers is the number of the namespace's OrgUsers that refer to this
	// Organization.
	// +optional
	DeclaredUsers *int32 `json:"declaredUsers,omitempty"`

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
