package controller_test

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// What may happen in a random history.

func (s *soak) somebody() int { return s.dice.IntN(soakPeople) }

func (s *soak) userSpec() v1alpha1.OrgUserSpec {
	return v1alpha1.OrgUserSpec{
		Role:           pick[v1alpha1.UserRole](s, "", "owner", "reader", "reader", "reader"),
		TechnicalLevel: pick(s, nil, new(""), new("expert")),
		DeletionPolicy: pick(s, v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain),
	}
}

// declareSomebody creates an OrgUser, or changes the one that is there. One that waits for its deletion may
// get the policy Retain, the way out of every wait.
func (s *soak) declareSomebody() {
	GinkgoHelper()
	i := s.somebody()
	spec := s.userSpec()
	user := s.orgUser(fmt.Sprintf("user-%04d", i))
	err := admin.Get(s.ctx, client.ObjectKeyFromObject(user), user)
	if apierrors.IsNotFound(err) {
		s.notef("%s is declared: role %q, policy %s", user.Name, spec.Role, spec.DeletionPolicy)
		spec.Email, spec.OrganizationRef.Name = numbered(i), s.organizationOf(i)
		user.Spec = spec
		s.declare(spec.Email, spec, func() { Expect(admin.Create(s.ctx, user)).To(Succeed()) })
		s.stand(spec.Email, declared)
		return
	}
	Expect(err).NotTo(HaveOccurred())
	before := user.DeepCopy()
	if user.DeletionTimestamp.IsZero() {
		s.notef("%s is edited: role %q, policy %s", user.Name, spec.Role, spec.DeletionPolicy)
		user.Spec.Role, user.Spec.TechnicalLevel, user.Spec.DeletionPolicy = spec.Role, spec.TechnicalLevel, spec.DeletionPolicy
	} else {
		s.notef("%s, which is being deleted, gets the policy Retain", user.Name)
		user.Spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
	}
	there := true
	s.declare(user.Spec.Email, user.Spec, func() {
		err := admin.Patch(s.ctx, user, client.MergeFrom(before))
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		there = err == nil // else it went in this moment, as it was
	})
	if there && !user.DeletionTimestamp.IsZero() {
		s.stand(user.Spec.Email, retiredWithRetain)
	}
}

// deleteSomebody deletes an OrgUser. One that rollcall had not taken on yet, and so has no finalizer, goes
// without a trace.
func (s *soak) deleteSomebody() {
	GinkgoHelper()
	s.deleteOrgUser(fmt.Sprintf("user-%04d", s.somebody()))
}

func (s *soak) deleteOrgUser(name string) {
	GinkgoHelper()
	user := s.orgUser(name)
	Eventually(func() error {
		if err := admin.Get(s.ctx, client.ObjectKeyFromObject(user), user); err != nil || !user.DeletionTimestamp.IsZero() {
			return client.IgnoreNotFound(err)
		}
		now := retiredWithRetain
		if user.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete && controllerutil.ContainsFinalizer(user, v1alpha1.Finalizer) {
			now = leaving
		}
		s.notef("%s is deleted: %s", user.Name, now)
		s.stand(user.Spec.Email, now)
		defer s.undeclare(user.Spec.Email)
		return admin.Delete(s.ctx, user, client.Preconditions{ResourceVersion: &user.ResourceVersion})
	}).Should(Succeed())
}

func (s *soak) bindSomething() {
	GinkgoHelper()
	role := pick(s, "viewer", "editor")
	binding := s.binding(fmt.Sprintf("%s-%d", role, s.dice.IntN(2)), role)
	if s.dice.IntN(6) == 0 {
		s.notef("binding %s is deleted", binding.Name)
		s.bind(binding.Name, role, nil, func() {
			Expect(client.IgnoreNotFound(admin.Delete(s.ctx, binding))).To(Succeed())
		})
		return
	}
	var emails []string
	for _, i := range s.dice.Perm(soakPeople)[:s.dice.IntN(5)] {
		emails = append(emails, numbered(i))
		binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{Email: numbered(i)})
	}
	subjects := binding.Spec.Subjects
	err := admin.Get(s.ctx, client.ObjectKeyFromObject(binding), binding)
	if err == nil && !binding.DeletionTimestamp.IsZero() {
		return
	}
	s.notef("binding %s names %v", binding.Name, emails)
	s.bind(binding.Name, role, emails, func() {
		if apierrors.IsNotFound(err) {
			Expect(admin.Create(s.ctx, binding)).To(Succeed())
			return
		}
		Expect(err).NotTo(HaveOccurred())
		before := binding.DeepCopy()
		binding.Spec.Subjects = subjects
		Expect(admin.Patch(s.ctx, binding, client.MergeFrom(before))).To(Succeed())
	})
}

// driftByHand changes the organization past rollcall.
func (s *soak) driftByHand() {
	GinkgoHelper()
	i := s.somebody()
	members := s.sim.Members()
	at := slices.IndexFunc(members, func(m openaitest.Member) bool { return m.Email == numbered(i) })
	if at < 0 {
		s.notef("%s joins", numbered(i))
		s.sim.AddUser(openaitest.User{Email: numbered(i), Role: "reader"})
		s.join(numbered(i))
		return
	}
	id := members[at].ID
	switch s.dice.IntN(8) {
	case 0, 1:
		role := pick(s, "owner", "reader")
		s.notef("%s is made %s by hand", numbered(i), role)
		s.byHand(func() { s.sim.SetRole(id, role) })
	case 2, 3:
		role := pick(s, "viewer", "editor")
		s.notef("%s gets role %s by hand", numbered(i), role)
		s.byHand(func() { s.sim.AssignRole(id, s.roleID(role)) })
		s.hand(role, numbered(i))
	case 4, 5:
		role := pick(s, "viewer", "editor")
		s.notef("%s loses role %s by hand", numbered(i), role)
		s.byHand(func() { s.sim.UnassignRole(id, s.roleID(role)) })
	default:
		if members[at].Role != "owner" {
			s.notef("%s leaves", numbered(i))
			s.sim.RemoveUser(id)
		}
	}
}

// deleteUnmatched deletes the OrgUsers that name nobody.
func (s *soak) deleteUnmatched() {
	GinkgoHelper()
	members := s.people()
	for _, user := range s.orgUsers() {
		if !slices.Contains(members, user.Spec.Email) {
			s.deleteOrgUser(user.Name)
		}
	}
}

func (s *soak) breakTheAPI() {
	fault := pick(s,
		openaitest.Fault{Status: http.StatusInternalServerError}, openaitest.Fault{Status: http.StatusServiceUnavailable},
		openaitest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 1}, openaitest.Fault{Drop: openaitest.DropBefore},
		openaitest.Fault{Drop: openaitest.DropAfter}, openaitest.Fault{Drop: openaitest.DropAfter}, openaitest.Fault{Truncate: true},
		openaitest.Fault{HTML: true, Status: http.StatusBadGateway}, openaitest.Fault{HTML: true},
		openaitest.Fault{Status: http.StatusConflict}, openaitest.Fault{Status: http.StatusForbidden},
		openaitest.Fault{Latency: 300 * time.Millisecond},
	)
	fault.Method = pick(s, "", http.MethodGet, http.MethodPost, http.MethodDelete)
	fault.Skip, fault.Times = s.dice.IntN(3), 1+s.dice.IntN(3)
	s.notef("the API breaks: %+v", fault)
	s.sim.Fail(fault)
}

// rotateTheKey has the API refuse the key that is in use. The new one comes into the Secret at once or some time
// later.
func (s *soak) rotateTheKey() {
	GinkgoHelper()
	s.key++
	s.notef("the key is rotated")
	s.sim.RotateKey(fmt.Sprintf("sk-admin-soak-%04d-abcdefghijklmnop", s.key))
	if s.dice.IntN(2) == 0 {
		s.storeKey()
	}
}

func (s *soak) storeKey() {
	GinkgoHelper()
	edit(s.world, s.secret(), func(secret *corev1.Secret) { secret.Data["api-key"] = []byte(s.sim.AdminKey()) })
}

// switchMode begins or ends a spell of Observe.
func (s *soak) switchMode() {
	GinkgoHelper()
	if s.mode == v1alpha1.ModeObserve {
		return
	}
	if s.observing() {
		s.enforce()
		return
	}
	s.notef("the mode becomes Observe")
	s.setMode(v1alpha1.ModeObserve)
	s.beginObserve()
}

func (s *soak) enforce() {
	GinkgoHelper()
	if s.observing() {
		s.notef("the mode becomes Enforce")
		s.endObserve()
		s.setMode(v1alpha1.ModeEnforce)
	}
}

func (s *soak) setMode(mode v1alpha1.Mode) {
	GinkgoHelper()
	for _, org := range s.siblings() {
		edit(s.world, org, func(org *v1alpha1.Organization) { org.Spec.Mode = mode })
	}
}
