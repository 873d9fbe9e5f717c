package controller_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// What the stories ask of those who are to leave.

func removalDelay(delay time.Duration) func(*v1alpha1.OrganizationSpec) {
	return func(spec *v1alpha1.OrganizationSpec) { spec.Guard.RemovalDelay = &metav1.Duration{Duration: delay} }
}

// leaver is the line of whom the OrgUser declared; without a user ID there is none.
func (w *world) leaver(orgUser string) v1alpha1.Leaver {
	GinkgoHelper()
	leavers := w.leavers()
	if at := slices.IndexFunc(leavers, func(l v1alpha1.Leaver) bool { return l.OrgUser == orgUser }); at >= 0 {
		return leavers[at]
	}
	return v1alpha1.Leaver{}
}

// expectLeaver waits until whom the OrgUser declared is a leaver against whose removal nothing is said.
func (w *world) expectLeaver(orgUser string) v1alpha1.Leaver {
	GinkgoHelper()
	Eventually(w.leaver).WithArguments(orgUser).Should(And(HaveField("UserID", Not(BeEmpty())), HaveField("Held", BeEmpty())))
	return w.leaver(orgUser)
}

// expectHeld waits until it is said why whom the OrgUser declared is not removed.
func (w *world) expectHeld(orgUser, why string) {
	GinkgoHelper()
	Eventually(w.leaver).WithArguments(orgUser).Should(HaveField("Held", ContainSubstring(why)))
}

// expectOut waits until the person is not in the organization any more.
func (w *world) expectOut(email string) {
	GinkgoHelper()
	Eventually(w.people).ShouldNot(ContainElement(WithTransform(strings.ToLower, Equal(email))))
}

// expectNoLeavers waits until nobody is to leave.
func (w *world) expectNoLeavers() {
	GinkgoHelper()
	Eventually(w.leavers).Should(BeEmpty())
}

// addressesIn are the addresses that a query asks for.
func addressesIn(query string) []string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil
	}
	return append(values["emails[]"], values["emails"]...)
}

// looksAt says whether the call looks at the person.
func looksAt(call openaitest.Call, email string) bool {
	return call.Method == http.MethodGet && call.Endpoint == "/organization/users" &&
		slices.ContainsFunc(addressesIn(call.Query), func(asked string) bool { return strings.EqualFold(asked, email) })
}

// during has something done while the next look at the person is answered, and begins a new journal.
func (w *world) during(email string, meanwhile func()) {
	w.sim.ResetJournal()
	var once sync.Once
	w.sim.During(func(call openaitest.Call) {
		if looksAt(call, email) {
			once.Do(func() {
				defer GinkgoRecover()
				meanwhile()
			})
		}
	})
}

// expectLook waits until the person was looked at.
func (w *world) expectLook(email string) {
	GinkgoHelper()
	Eventually(w.sim.Journal).Should(ContainElement(WithTransform(func(call openaitest.Call) bool { return looksAt(call, email) }, BeTrue())))
}

// expectNoChangeAfter watches for a while that no call which came more than two seconds after the moment would change
// anything.
func (w *world) expectNoChangeAfter(moment time.Time, watch time.Duration) {
	GinkgoHelper()
	Consistently(func() []openaitest.Call {
		return slices.DeleteFunc(w.mutationsTried(), func(call openaitest.Call) bool { return call.Time.Before(moment.Add(2 * time.Second)) })
	}).WithTimeout(watch).WithPolling(100 * time.Millisecond).Should(BeEmpty())
}

// leavers are the lines of status.leaving.
func (w *world) leavers() []v1alpha1.Leaver {
	GinkgoHelper()
	return w.status().Leaving
}
