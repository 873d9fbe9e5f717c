package controller_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// What must hold after a random history.

func (s *soak) orgUsers() []v1alpha1.OrgUser {
	GinkgoHelper()
	list := &v1alpha1.OrgUserList{}
	Expect(admin.List(s.ctx, list, client.InNamespace(s.namespace))).To(Succeed())
	return slices.DeleteFunc(list.Items, func(u v1alpha1.OrgUser) bool { return u.Spec.OrganizationRef.Name == "silent" })
}

// expectDeclaredState compares what holds with what is declared, object by object.
func (s *soak) expectDeclaredState() {
	GinkgoHelper()
	members := map[string]openaitest.Member{}
	for _, m := range s.sim.Members() {
		members[m.Email] = m
	}
	users := s.orgUsers()
	for i := range users {
		s.expectAsDeclared(&users[i], members)
	}
	for i := range soakPeople {
		s.expectLeft(numbered(i), users, members)
	}
	for _, m := range members {
		s.expectTakenOut(m)
	}
	bindings := &v1alpha1.OrgUserRoleBindingList{}
	Expect(admin.List(s.ctx, bindings, client.InNamespace(s.namespace))).To(Succeed())
	leaving := s.leavers()
	for _, binding := range bindings.Items {
		for _, subject := range binding.Spec.Subjects {
			// Whoever is to be removed, and is held, is given nothing.
			leaves := func(line v1alpha1.Leaver) bool { return line.UserID == members[subject.Email].ID && guarded(line) }
			// Whose address is somebody else's now is asked about.
			asked := func(line v1alpha1.SubjectStatus) bool {
				return line.Subject == subject && strings.Contains(line.Message, "Nothing is changed on a guess")
			}
			if m, ok := members[subject.Email]; ok && !slices.ContainsFunc(leaving, leaves) && !slices.ContainsFunc(binding.Status.Subjects, asked) {
				Expect(m.Direct).To(ContainElement(binding.Spec.RoleRef.Name), "%s in %s; leaving: %v\n%s", m.Email, binding.Name, leaving, s.tale())
			}
		}
	}
}

// expectTakenOut: whom the last binding left out has the role no more, unless they were given it by hand too, or
// the binding went under Observe.
func (s *soak) expectTakenOut(m openaitest.Member) {
	GinkgoHelper()
	for _, role := range m.Direct {
		since, was := s.unboundSince(role, m.Email)
		if was && !s.handed[role+" "+m.Email] && !s.observedSince(since) {
			Fail(fmt.Sprintf("%s still has role %s, which no binding gives since %s\n%s", m.Email, role, clock(since), s.tale()))
		}
	}
}

func (s *soak) expectAsDeclared(user *v1alpha1.OrgUser, members map[string]openaitest.Member) {
	GinkgoHelper()
	m, isMember := members[user.Spec.Email]
	verdict := s.verdict(user)
	switch {
	case strings.Contains(verdict, "Held"):
	case strings.Contains(verdict, "Conflict"):
		// They have another address now: nothing is changed on a guess.
		Expect(s.message(user)).To(ContainSubstring("Nothing is changed on a guess"), s.tale())
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

// expectLeft: a leaver whose object went is gone, unless it went under Observe or they joined again.
func (s *soak) expectLeft(email string, users []v1alpha1.OrgUser, members map[string]openaitest.Member) {
	GinkgoHelper()
	last := s.last(email)
	if last.standing != leaving || s.joined[email].After(last.since) || s.observedSince(last.since) ||
		slices.ContainsFunc(users, func(u v1alpha1.OrgUser) bool { return u.Spec.Email == email }) {
		return
	}
	for _, line := range s.leavers() {
		if line.Email == email && guarded(line) {
			return
		}
	}
	Expect(members).NotTo(HaveKey(email), "%s was to leave and is still inside; leaving: %v\n%s", email, s.leavers(), s.tale())
}

// guarded says whether it is the guard that keeps a leaver in.
func guarded(line v1alpha1.Leaver) bool { return strings.Contains(line.Held, "is held by spec.guard.") }

// expectPromisesKept reads the journal.
func (s *soak) expectPromisesKept() {
	GinkgoHelper()
	for _, call := range s.mutationsTried() {
		Expect(s.observed(call.Time)).To(BeFalse(), "%s %s under Observe\n%s", call.Method, call.Path, s.tale())
	}
	removals := 0
	journal := s.sim.Journal()
	for i, call := range journal {
		if !call.Changed {
			continue
		}
		if call.Owners < call.OwnersBefore && !s.handBetween(lookBefore(journal, i), call) {
			Expect(call.Owners).To(BeNumerically(">=", soakMinOwners), "%s %s at %s left too few owners\n%s", call.Method, call.Path, clock(call.Time), s.tale())
		}
		switch call.Method + " " + call.Endpoint {
		case "DELETE /organization/users/{id}":
			removals++
			s.expectRemovable(call)
		case "DELETE /organization/users/{id}/roles/{role_id}":
			Expect(s.wasBound(s.roleName(call.RoleID), call.Email, call.Time)).To(BeFalse(),
				"%s lost role %s at %s, which a binding declares\n%s", call.Email, s.roleName(call.RoleID), clock(call.Time), s.tale())
		}
	}
	s.expectEachCallWanted(journal)
	Expect(removals).To(BeNumerically("<=", s.maxRemovals), s.tale())
	s.expectLookAfterLostAnswer()
}

// lookBefore is the last list by addresses before a call that looks at its user: owners who must stay are seen there too.
func lookBefore(journal []openaitest.Call, i int) openaitest.Call {
	for _, call := range slices.Backward(journal[:i]) {
		if call.Method == http.MethodGet && call.Endpoint == "/organization/users" && strings.Contains(call.Query, url.QueryEscape(journal[i].Email)) {
			return call
		}
	}
	return openaitest.Call{}
}

// handBetween: somebody changed something by hand after the look that a call rests on, and before the call. No look can know
// that, so what the call leaves is not promised.
func (s *soak) handBetween(look, call openaitest.Call) bool {
	return slices.ContainsFunc(s.hands, func(hand spell) bool { return hand.until.After(look.Time) && hand.from.Before(call.Time) })
}

// expectLookAfterLostAnswer: whoever was being changed when an answer was lost is looked at before they are
// changed again, alone or with all.
func (s *soak) expectLookAfterLostAnswer() {
	GinkgoHelper()
	lost := map[string]openaitest.Call{} // by user ID
	for _, call := range s.sim.Journal() {
		switch {
		case call.Method == http.MethodGet && call.Endpoint == "/organization/users":
			clear(lost)
		case call.Method == http.MethodGet:
			delete(lost, call.UserID)
		case call.Endpoint == "/organization/users/{id}":
			before, blind := lost[call.UserID]
			Expect(blind).To(BeFalse(), "%s %s at %s, though the answer at %s was lost\n%s",
				call.Method, call.Path, clock(call.Time), clock(before.Time), s.tale())
			if call.Status == 0 {
				lost[call.UserID] = call
			}
		}
	}
}

// expectRemovable: somebody asked for the removal.
func (s *soak) expectRemovable(call openaitest.Call) {
	GinkgoHelper()
	standings := s.standing(call.Email, call.Time)
	allowed := []any{leaving}
	if s.tidies {
		allowed = append(allowed, undeclaredYet, retiredWithRetain)
	}
	if call.Time.After(s.typo.from) && call.Time.Before(s.typo.until) {
		allowed = []any{leaving}
	}
	Expect(standings).To(ContainElement(BeElementOf(allowed...)), "%s was removed at %s and was %v\n%s",
		call.Email, clock(call.Time), standings, s.tale())
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

func (s *soak) roleName(id string) string {
	GinkgoHelper()
	roles := s.sim.Roles()
	at := slices.IndexFunc(roles, func(r openaitest.Role) bool { return r.ID == id })
	Expect(at).To(BeNumerically(">=", 0), "no role "+id)
	return roles[at].Name
}

// expectNothingMore: where nothing happens any more, nothing is tried.
func (s *soak) expectNothingMore() {
	GinkgoHelper()
	s.sim.ResetJournal()
	s.resync()
	s.quiet()
	Expect(s.mutationsTried()).To(BeEmpty(), "a call after the end\n%s", s.tale())
}

// expectTeardownRemovesNobody deletes the namespace in the middle of things, with the manager at work or off.
func (s *soak) expectTeardownRemovesNobody() {
	GinkgoHelper()
	for range 12 {
		s.deleteSomebody()
		s.breakTheAPI()
		s.declareSomebody()
	}
	off := s.dice.IntN(2) == 0
	s.notef("the namespace is deleted, with the manager off: %t", off)
	if off {
		s.kill()
	}
	s.deleteNamespace()
	deleted := time.Now()
	s.sim.ClearFaults()
	if off {
		s.startManager()
	}
	Eventually(s.orgUsers).WithTimeout(time.Minute).Should(BeEmpty(), s.tale())
	// What an object declared may still be made so until it goes; nothing is taken away.
	for _, call := range s.mutationsTried() {
		if call.Method == http.MethodDelete {
			Expect(call.Time).To(BeTemporally("<", deleted.Add(lag)), "%s %s: a teardown is not offboarding\n%s", call.Method, call.Path, s.tale())
		}
	}
}
