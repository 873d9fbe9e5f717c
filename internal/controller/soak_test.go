package controller_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var moreSoaks = flag.Uint64("soak", 0, "how many random histories to try besides the fixed ones")

// soakSeeds are the seeds of every run, and as many more, from a random start, as make soak asks for.
func soakSeeds() []uint64 {
	seeds := []uint64{1, 2, 3}
	start := rand.Uint64N(1 << 32)
	for i := range *moreSoaks {
		seeds = append(seeds, start+i)
	}
	return seeds
}

const (
	soakPeople      = 12
	soakSteps       = 120
	soakMinOwners   = 2
	soakMaxRemovals = 2
)

// soak is a world in which anything may happen.
type soak struct {
	*world
	dice *rand.Rand
	// leavers are the people whose OrgUser was deleted with the policy Delete: only they may be removed.
	leavers map[string]bool
	story   []string
}

var _ = Describe("Whatever happens", func() {
	for _, seed := range soakSeeds() {
		It(fmt.Sprintf("nobody loses access by accident, and the declared state is reached (seed %d)", seed), func(ctx context.Context) {
			s := newSoak(ctx, seed, v1alpha1.ModeEnforce)
			s.live()
			s.calmDown()
			s.expectDeclaredState()
			s.expectPromisesKept()
			if seed%2 == 0 {
				s.sim.ResetJournal()
				s.deleteNamespace()
				Eventually(func(g Gomega) {
					list := &v1alpha1.OrgUserList{}
					g.Expect(admin.List(s.ctx, list, client.InNamespace(s.namespace))).To(Succeed())
					g.Expect(list.Items).To(BeEmpty())
				}).Should(Succeed())
				Expect(s.mutationsTried()).To(BeEmpty(), "a teardown is not offboarding")
			}
		})
	}

	It("nothing is changed under Observe", func(ctx context.Context) {
		s := newSoak(ctx, 4, v1alpha1.ModeObserve)
		s.live()
		s.calmDown()
		Expect(s.mutationsTried()).To(BeEmpty(), "%s", s.tale())
	})
})

func newSoak(ctx context.Context, seed uint64, mode v1alpha1.Mode) *soak {
	GinkgoHelper()
	people, _ := numberedPeople(soakPeople, "reader")
	for i := range 4 {
		people[i].Role = "owner"
	}
	w := newWorldWith(ctx, func(spec *v1alpha1.OrganizationSpec) {
		spec.Mode = mode
		spec.Guard = v1alpha1.Guard{MinOwners: soakMinOwners, MaxRemovals: new(intstr.FromInt32(soakMaxRemovals))}
	}, people...)
	for _, role := range []string{"viewer", "editor"} {
		w.sim.AddRole(openaitest.Role{Name: role})
	}
	s := &soak{world: w, dice: rand.New(rand.NewPCG(seed, seed)), leavers: map[string]bool{}}
	// What happened is told with a failure.
	DeferCleanup(func() {
		if CurrentSpecReport().Failed() {
			GinkgoWriter.Println(s.tale())
		}
	})
	return s
}

func (s *soak) tale() string { return strings.Join(s.story, "\n") }

func (s *soak) notef(format string, arguments ...any) {
	s.story = append(s.story, fmt.Sprintf(format, arguments...))
}

func pick[T any](s *soak, from ...T) T { return from[s.dice.IntN(len(from))] }

func (s *soak) somebody() int { return s.dice.IntN(soakPeople) }

// live has things happen, in bursts between which the manager gets some way.
func (s *soak) live() {
	GinkgoHelper()
	for step := range soakSteps {
		s.something()
		if step%6 == 5 {
			s.breathe()
		}
	}
}

// breathe waits until the manager has nothing to do for a moment, but not for long: a burst may come at any
// time.
func (s *soak) breathe() {
	const still, longest = 200 * time.Millisecond, time.Second
	seen, since, begun := -1, time.Now(), time.Now()
	for time.Since(since) < still && time.Since(begun) < longest {
		if now := len(s.sim.Journal()) + s.writes.total(); now != seen {
			seen, since = now, time.Now()
		}
		<-time.After(10 * time.Millisecond)
	}
}

// something happens: to the manifests, by hand in the organization, to the API, or to the manager.
func (s *soak) something() {
	GinkgoHelper()
	switch roll := s.dice.IntN(100); {
	case roll < 28:
		s.declareSomebody()
	case roll < 42:
		s.deleteSomebody()
	case roll < 58:
		s.bindSomething()
	case roll < 75:
		s.driftByHand()
	case roll < 90:
		s.breakTheAPI()
	case roll < 95:
		s.notef("a resync is asked for")
		s.ask()
	default:
		s.notef("the manager is stopped and started")
		s.stop()
		s.startManager()
	}
}

func (s *soak) userSpec() v1alpha1.OrgUserSpec {
	return v1alpha1.OrgUserSpec{
		Role:           pick[v1alpha1.UserRole](s, "", "owner", "reader", "reader", "reader"),
		TechnicalLevel: pick(s, nil, new(""), new("expert")),
		DeletionPolicy: pick(s, v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyDelete, v1alpha1.DeletionPolicyRetain),
	}
}

func (s *soak) declareSomebody() {
	GinkgoHelper()
	i := s.somebody()
	spec := s.userSpec()
	user := s.orgUser(fmt.Sprintf("user-%04d", i))
	s.notef("user-%04d is declared: role %q, policy %s", i, spec.Role, spec.DeletionPolicy)
	err := admin.Get(s.ctx, client.ObjectKeyFromObject(user), user)
	if err == nil && user.DeletionTimestamp.IsZero() {
		before := user.DeepCopy()
		user.Spec.Role, user.Spec.TechnicalLevel, user.Spec.DeletionPolicy = spec.Role, spec.TechnicalLevel, spec.DeletionPolicy
		Expect(client.IgnoreNotFound(admin.Patch(s.ctx, user, client.MergeFrom(before)))).To(Succeed())
		return
	}
	if apierrors.IsNotFound(err) {
		spec.Email = numbered(i)
		user.Spec = spec
		Expect(admin.Create(s.ctx, user)).To(Succeed())
	}
}

func (s *soak) deleteSomebody() {
	GinkgoHelper()
	user := s.orgUser(fmt.Sprintf("user-%04d", s.somebody()))
	if err := admin.Get(s.ctx, client.ObjectKeyFromObject(user), user); err != nil {
		return
	}
	if user.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDelete {
		s.leavers[user.Spec.Email] = true
	}
	s.notef("%s is deleted, policy %s", user.Name, user.Spec.DeletionPolicy)
	Expect(client.IgnoreNotFound(admin.Delete(s.ctx, user))).To(Succeed())
}

func (s *soak) bindSomething() {
	GinkgoHelper()
	role := pick(s, "viewer", "editor")
	binding := s.binding(fmt.Sprintf("%s-%d", role, s.dice.IntN(2)), role)
	if s.dice.IntN(6) == 0 {
		s.notef("binding %s is deleted", binding.Name)
		Expect(client.IgnoreNotFound(admin.Delete(s.ctx, binding))).To(Succeed())
		return
	}
	var subjects []v1alpha1.Subject
	for _, i := range s.dice.Perm(soakPeople)[:s.dice.IntN(5)] {
		subjects = append(subjects, v1alpha1.Subject{Email: numbered(i)})
	}
	s.notef("binding %s names %v", binding.Name, subjects)
	err := admin.Get(s.ctx, client.ObjectKeyFromObject(binding), binding)
	if apierrors.IsNotFound(err) {
		binding.Spec.Subjects = append(binding.Spec.Subjects, subjects...)
		Expect(admin.Create(s.ctx, binding)).To(Succeed())
		return
	}
	before := binding.DeepCopy()
	binding.Spec.Subjects = append([]v1alpha1.Subject{}, subjects...)
	Expect(client.IgnoreNotFound(admin.Patch(s.ctx, binding, client.MergeFrom(before)))).To(Succeed())
}

func (s *soak) driftByHand() {
	GinkgoHelper()
	i := s.somebody()
	members := s.sim.Members()
	at := slices.IndexFunc(members, func(m openaitest.Member) bool { return m.Email == numbered(i) })
	if at < 0 {
		s.notef("%s joins", numbered(i))
		s.sim.AddUser(openaitest.User{Email: numbered(i), Role: "reader"})
		return
	}
	id := members[at].ID
	switch s.dice.IntN(4) {
	case 0:
		role := pick(s, "owner", "reader")
		s.notef("%s is made %s by hand", numbered(i), role)
		s.sim.SetRole(id, role)
	case 1:
		s.sim.AssignRole(id, s.roleID(pick(s, "viewer", "editor")))
	case 2:
		s.sim.UnassignRole(id, s.roleID(pick(s, "viewer", "editor")))
	case 3:
		if members[at].Role != "owner" {
			s.notef("%s leaves", numbered(i))
			s.sim.RemoveUser(id)
		}
	}
}

func (s *soak) breakTheAPI() {
	fault := pick(s,
		openaitest.Fault{Status: http.StatusInternalServerError}, openaitest.Fault{Status: http.StatusServiceUnavailable},
		openaitest.Fault{Status: http.StatusTooManyRequests, RetryAfter: 1}, openaitest.Fault{Drop: openaitest.DropBefore},
		openaitest.Fault{Drop: openaitest.DropAfter}, openaitest.Fault{Drop: openaitest.DropAfter}, openaitest.Fault{Truncate: true},
		openaitest.Fault{HTML: true, Status: http.StatusBadGateway},
	)
	fault.Method = pick(s, "", http.MethodGet, http.MethodPost, http.MethodDelete)
	fault.Skip, fault.Times = s.dice.IntN(3), 1+s.dice.IntN(3)
	s.notef("the API breaks: %+v", fault)
	s.sim.Fail(fault)
}

// calmDown ends the faults, has what the guard holds let go by nothing but the declared state, and waits.
func (s *soak) calmDown() {
	GinkgoHelper()
	s.sim.ClearFaults()
	s.resync()
	s.quiet()
	s.resync()
	s.quiet()
}

// expectDeclaredState compares what holds with what is declared, object by object.
func (s *soak) expectDeclaredState() {
	GinkgoHelper()
	members := map[string]openaitest.Member{}
	for _, m := range s.sim.Members() {
		members[m.Email] = m
	}
	users := &v1alpha1.OrgUserList{}
	Expect(admin.List(s.ctx, users, client.InNamespace(s.namespace))).To(Succeed())
	for i := range users.Items {
		user := &users.Items[i]
		m, isMember := members[user.Spec.Email]
		verdict := s.verdict(user)
		switch {
		case strings.Contains(verdict, "Held"):
		case !user.DeletionTimestamp.IsZero() && strings.Contains(verdict, "Conflict"):
			// They left and came back under another ID: nobody is removed on a guess.
			Expect(s.message(user)).To(ContainSubstring("nobody is removed"), s.tale())
		case !user.DeletionTimestamp.IsZero():
			Fail(fmt.Sprintf("%s still waits for its deletion: %s: %s\n%s", user.Name, verdict, s.message(user), s.tale()))
		case !isMember:
			Expect(verdict).To(Equal(fmt.Sprintf(waits, "NotAMember")), s.tale())
		default:
			Expect(verdict).To(Equal(inSync), "%s: %s\n%s", user.Name, s.message(user), s.tale())
			if user.Spec.Role != "" {
				Expect(m.Role).To(Equal(string(user.Spec.Role)), s.tale())
			}
			if user.Spec.TechnicalLevel != nil {
				Expect(m.TechnicalLevel).To(Equal(*user.Spec.TechnicalLevel), s.tale())
			}
		}
	}
	bindings := &v1alpha1.OrgUserRoleBindingList{}
	Expect(admin.List(s.ctx, bindings, client.InNamespace(s.namespace))).To(Succeed())
	for _, binding := range bindings.Items {
		for _, subject := range binding.Spec.Subjects {
			if m, ok := members[subject.Email]; ok {
				Expect(m.Direct).To(ContainElement(binding.Spec.RoleRef.Name), "%s in %s\n%s", m.Email, binding.Name, s.tale())
			}
		}
	}
}

// expectPromisesKept reads the journal.
func (s *soak) expectPromisesKept() {
	GinkgoHelper()
	removals := 0
	for _, call := range s.sim.Mutations() {
		if call.Owners < call.OwnersBefore {
			Expect(call.Owners).To(BeNumerically(">=", soakMinOwners), "%s %s left too few owners\n%s", call.Method, call.Path, s.tale())
		}
		if call.Method == http.MethodDelete && call.Endpoint == "/organization/users/{id}" {
			removals++
			Expect(s.leavers).To(HaveKey(call.Email), "%s was removed and never deleted\n%s", call.Email, s.tale())
		}
	}
	Expect(removals).To(BeNumerically("<=", soakMaxRemovals), s.tale())
	s.sim.ResetJournal()
	s.resync()
	s.quiet()
	Expect(s.mutationsTried()).To(BeEmpty(), "a call after the end\n%s", s.tale())
}
