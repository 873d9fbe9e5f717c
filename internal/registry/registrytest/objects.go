package registrytest

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// ObjectName is the Organization of a namespace.
func ObjectName(namespace string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: "acme"}
}

// Organization writes an Organization.
func (s *Scene) Organization(namespace string, edits ...func(*v1alpha1.Organization)) *v1alpha1.Organization {
	org := &v1alpha1.Organization{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "acme", UID: types.UID("org-" + namespace), Generation: 1},
		Spec: v1alpha1.OrganizationSpec{
			Mode: v1alpha1.ModeEnforce,
			Guard: v1alpha1.Guard{
				MinOwners: 1, MaxRemovals: new(intstr.FromInt32(100)), Window: metav1.Duration{Duration: time.Hour}, RemovalDelay: &metav1.Duration{},
			},
		},
	}
	for _, edit := range edits {
		edit(org)
	}
	s.Put(org)
	return org
}

// OrgNow is the Organization of a namespace as it is.
func (s *Scene) OrgNow(namespace string) *v1alpha1.Organization {
	org := &v1alpha1.Organization{}
	if err := s.Get(s.Context(), ObjectName(namespace), org); err != nil {
		s.Fatal(err)
	}
	return org
}

// OrgUser writes an OrgUser that is matched with a user and written down.
func (s *Scene) OrgUser(namespace, userID, email string, edits ...func(*v1alpha1.OrgUser)) *v1alpha1.OrgUser {
	user := &v1alpha1.OrgUser{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "u-" + userID, UID: types.UID(namespace + "-" + userID), Generation: 1,
			Finalizers: []string{v1alpha1.Finalizer}, CreationTimestamp: metav1.NewTime(time.Now()),
		},
		Spec: v1alpha1.OrgUserSpec{
			OrganizationRef: v1alpha1.OrganizationReference{Name: "acme"}, Email: email,
		},
		Status: v1alpha1.OrgUserStatus{UserID: userID},
	}
	for _, edit := range edits {
		edit(user)
	}
	s.Put(user)
	return user
}

// Wants has an OrgUser ask for a role.
func Wants(role v1alpha1.UserRole) func(*v1alpha1.OrgUser) {
	return func(u *v1alpha1.OrgUser) { u.Spec.Role = role }
}

// Binding writes a binding of which the lines are written down, of everybody by email.
func (s *Scene) Binding(namespace, roleID string, people map[string]string) *v1alpha1.OrgUserRoleBinding {
	binding := &v1alpha1.OrgUserRoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "b-" + roleID, UID: types.UID(namespace + "-b-" + roleID), Generation: 1, Finalizers: []string{v1alpha1.Finalizer},
		},
		Spec: v1alpha1.OrgUserRoleBindingSpec{
			OrganizationRef: v1alpha1.OrganizationReference{Name: "acme"}, RoleRef: v1alpha1.RoleReference{ID: roleID},
		},
		Status: v1alpha1.OrgUserRoleBindingStatus{RoleID: roleID},
	}
	for id, email := range people {
		subject := v1alpha1.Subject{Email: email}
		binding.Spec.Subjects = append(binding.Spec.Subjects, subject)
		binding.Status.Subjects = append(binding.Status.Subjects, v1alpha1.SubjectStatus{Subject: subject, UserID: id, State: v1alpha1.SubjectPending})
	}
	s.Put(binding)
	return binding
}

// Leaver has users leave by the lines of an Organization.
func (s *Scene) Leaver(namespace string, ids ...string) {
	org := s.OrgNow(namespace)
	for _, id := range ids {
		org.Status.Leaving = append(org.Status.Leaving, v1alpha1.Leaver{UserID: id, Email: id + "@example.com", OrgUser: "u"})
	}
	s.Put(org)
	s.Wake(org)
}
