package controller_test

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const (
	soakCrowd  = 120
	soakSecond = "second"
)

// crowd adds what crowdedSeed has more than other histories.
func (s *soak) crowd() {
	GinkgoHelper()
	s.crowded = true
	s.sim.AddRole(openaitest.Role{Name: "crowd"})
	for i := range soakCrowd {
		s.sim.AddUser(openaitest.User{Email: crowdMember(i), Role: "reader"})
	}
	second := s.organization()
	Expect(admin.Get(s.ctx, client.ObjectKeyFromObject(second), second)).To(Succeed())
	second = &v1alpha1.Organization{ObjectMeta: s.named(soakSecond), Spec: second.Spec}
	s.create(second)

	silent := openaitest.NewServer()
	DeferCleanup(silent.Close)
	silent.SetLatency(time.Minute)
	sick, secret := s.organization(), s.secret()
	sick.Name, secret.Name = "silent", "silent-key"
	sick.Spec.AdminKeySecretRef.Name = secret.Name
	secret.StringData = map[string]string{"api-key": silent.AdminKey(), "base-url": silent.URL()}
	s.create(secret, sick)
	for i := range 10 {
		user := s.orgUser(fmt.Sprintf("silent-%04d", i))
		user.Spec.OrganizationRef.Name = sick.Name
		s.create(user)
	}
	s.expectReady(second)
}

func crowdMember(i int) string { return fmt.Sprintf("crowd-%04d@example.com", i) }

// bindCrowd has a binding name more than a hundred people, now these and now those.
func (s *soak) bindCrowd() {
	GinkgoHelper()
	var emails []string
	subjects := []v1alpha1.Subject{}
	for _, i := range s.dice.Perm(soakCrowd)[:soakCrowd-s.dice.IntN(19)] {
		emails = append(emails, crowdMember(i))
		subjects = append(subjects, v1alpha1.Subject{Email: crowdMember(i)})
	}
	s.notef("binding crowd names %d people", len(emails))
	binding := s.binding("crowd", "crowd")
	s.bind(binding.Name, "crowd", emails, func() {
		if admin.Get(s.ctx, client.ObjectKeyFromObject(binding), binding) != nil {
			binding.Spec.Subjects = subjects
			s.create(binding)
			return
		}
		edit(s.world, binding, func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = subjects })
	})
}

// organizationOf is the Organization object under which a person is declared.
func (s *soak) organizationOf(i int) string {
	if s.crowded && i%2 == 1 {
		return soakSecond
	}
	return "default"
}

// siblings are the Organization objects of the organization.
func (s *soak) siblings() []*v1alpha1.Organization {
	all := []*v1alpha1.Organization{s.organization()}
	if s.crowded {
		all = append(all, &v1alpha1.Organization{ObjectMeta: s.named(soakSecond)})
	}
	return all
}

// leavers are those of all Organization objects of the organization.
func (s *soak) leavers() []v1alpha1.Leaver {
	GinkgoHelper()
	var leaving []v1alpha1.Leaver
	for _, org := range s.siblings() {
		Expect(admin.Get(s.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
		leaving = append(leaving, org.Status.Leaving...)
	}
	return leaving
}
