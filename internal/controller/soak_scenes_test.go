package controller_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// scenes are what each of the promises was made for.
func (s *soak) scenes() []func() {
	return []func(){
		func() {
			s.promoteSome()
			s.rest()
			s.demoteOwners()
		},
		s.renameLeaver,
		s.retireSomebody,
		s.loseAnswer,
	}
}

// promoteSome makes owners by their manifests, one more than must stay.
func (s *soak) promoteSome() {
	GinkgoHelper()
	members := s.declaredMembers()
	for _, m := range members[:min(len(members), soakMinOwners+1)] {
		s.notef("%s is made owner by their manifest", m.Email)
		s.editManifest(m, func(spec *v1alpha1.OrgUserSpec) { spec.Role = v1alpha1.UserRoleOwner })
	}
}

// demoteOwners demotes by hand all owners but those who must stay, and one of these by their manifest, at the
// same moment.
func (s *soak) demoteOwners() {
	GinkgoHelper()
	owners := slices.DeleteFunc(s.sim.Members(), func(m openaitest.Member) bool { return m.Role != "owner" })
	s.dice.Shuffle(len(owners), func(i, j int) { owners[i], owners[j] = owners[j], owners[i] })
	at := slices.IndexFunc(owners, func(m openaitest.Member) bool { return s.last(m.Email).standing == declared })
	if at < 0 || len(owners) <= soakMinOwners {
		return
	}
	owners[0], owners[at] = owners[at], owners[0]
	for _, m := range owners[soakMinOwners:] {
		s.notef("%s is demoted by hand", m.Email)
		s.byHand(func() { s.sim.SetRole(m.ID, "reader") })
	}
	s.notef("%s is demoted by their manifest", owners[0].Email)
	s.editManifest(owners[0], func(spec *v1alpha1.OrgUserSpec) { spec.Role = v1alpha1.UserRoleReader })
}

// renameLeaver gives somebody another address at the moment in which their OrgUser is deleted: whoever has the
// ID is not any more whom the manifest names.
func (s *soak) renameLeaver() {
	GinkgoHelper()
	member, ok := s.anyDeclaredMember()
	if !ok {
		return
	}
	s.editManifest(member, func(spec *v1alpha1.OrgUserSpec) { spec.DeletionPolicy = v1alpha1.DeletionPolicyDelete })
	s.notef("%s gets another address", member.Email)
	s.byHand(func() { s.sim.SetEmail(member.ID, fmt.Sprintf("renamed-%d@example.com", len(s.story))) })
	s.deleteOrgUser(s.manifestOf(member).Name)
}

// retireSomebody changes the policy to Retain at the moment in which the OrgUser is deleted.
func (s *soak) retireSomebody() {
	GinkgoHelper()
	member, ok := s.anyDeclaredMember()
	if !ok {
		return
	}
	s.editManifest(member, func(spec *v1alpha1.OrgUserSpec) { spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain })
	s.deleteOrgUser(s.manifestOf(member).Name)
}

// loseAnswer has the answer to somebody's next change be lost, whether it was made or not.
func (s *soak) loseAnswer() {
	GinkgoHelper()
	member, ok := s.anyDeclaredMember()
	if !ok {
		return
	}
	drop, level := pick(s, openaitest.DropBefore, openaitest.DropAfter), fmt.Sprintf("level-%d", len(s.story))
	s.notef("%s is given %s, and the answer is lost: %s", member.Email, level, drop)
	s.sim.Fail(openaitest.Fault{Method: http.MethodPost, Path: "/organization/users/" + member.ID, Drop: drop, Times: 1})
	s.editManifest(member, func(spec *v1alpha1.OrgUserSpec) { spec.TechnicalLevel = &level })
}

func (s *soak) editManifest(member openaitest.Member, change func(*v1alpha1.OrgUserSpec)) {
	GinkgoHelper()
	user := s.manifestOf(member)
	Expect(admin.Get(s.ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
	change(&user.Spec)
	s.declare(member.Email, user.Spec, func() {
		edit(s.world, s.manifestOf(member), func(user *v1alpha1.OrgUser) { change(&user.Spec) })
	})
}

func (s *soak) anyDeclaredMember() (member openaitest.Member, ok bool) {
	members := s.declaredMembers()
	if len(members) == 0 {
		return member, false
	}
	return pick(s, members...), true
}

func (s *soak) manifestOf(member openaitest.Member) *v1alpha1.OrgUser {
	return s.orgUser(strings.TrimSuffix(member.Email, "@example.com"))
}

func (s *soak) declaredMembers() []openaitest.Member {
	return slices.DeleteFunc(s.sim.Members(), func(m openaitest.Member) bool { return s.last(m.Email).standing != declared })
}
