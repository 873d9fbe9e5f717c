package controller_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// What the stories ask of the simulated organization and of the namespace.

func (w *world) find(what string, is func(openaitest.Member) bool) openaitest.Member {
	GinkgoHelper()
	members := w.sim.Members()
	at := slices.IndexFunc(members, is)
	Expect(at).To(BeNumerically(">=", 0), "no member "+what)
	return members[at]
}

func (w *world) member(email string) openaitest.Member {
	GinkgoHelper()
	return w.find(email, func(m openaitest.Member) bool { return strings.EqualFold(m.Email, email) })
}

func (w *world) memberNamed(name string) openaitest.Member {
	GinkgoHelper()
	return w.find(name, func(m openaitest.Member) bool { return m.Name == name })
}

func (w *world) people() []string {
	var emails []string
	for _, m := range w.sim.Members() {
		emails = append(emails, m.Email)
	}
	return emails
}

func (w *world) roleID(name string) string {
	GinkgoHelper()
	roles := w.sim.Roles()
	at := slices.IndexFunc(roles, func(r openaitest.Role) bool { return r.Name == name })
	Expect(at).To(BeNumerically(">=", 0), "no role "+name)
	return roles[at].ID
}

func (w *world) directRoles(email string) []string {
	GinkgoHelper()
	return w.member(email).Direct
}

// holders are the people who have a role, directly or not, in lower case.
func (w *world) holders(role string) []string {
	var emails []string
	for _, m := range w.sim.Members() {
		if slices.Contains(m.Direct, role) || slices.Contains(m.Inherited, role) {
			emails = append(emails, strings.ToLower(m.Email))
		}
	}
	return emails
}

// mutations words the calls that changed the organization.
func (w *world) mutations() []string {
	var words []string
	for _, call := range w.sim.Mutations() {
		words = append(words, call.Method+" "+call.Endpoint+" "+strings.ToLower(call.Email))
	}
	return words
}

// mutationsTried are the calls that would change something if they were carried out.
func (w *world) mutationsTried() []openaitest.Call {
	return slices.DeleteFunc(w.sim.Journal(), func(call openaitest.Call) bool { return call.Method == http.MethodGet })
}

// callsIn words all calls in the order in which they came.
func (w *world) callsIn() []string {
	var words []string
	for _, call := range w.sim.Journal() {
		words = append(words, strings.TrimSpace(call.Method+" "+call.Endpoint+" "+call.UserID))
	}
	return words
}

// queries are those of the calls to an endpoint.
func (w *world) queries(endpoint string) []string {
	var queries []string
	for _, call := range w.sim.Journal() {
		if call.Method+" "+call.Endpoint == endpoint {
			queries = append(queries, call.Query)
		}
	}
	return queries
}

func (w *world) callCounts() map[string]int {
	counts := map[string]int{}
	for _, call := range w.sim.Journal() {
		counts[call.Method+" "+call.Endpoint]++
	}
	return counts
}

func (w *world) timesOf(method string) []time.Time {
	var times []time.Time
	for _, call := range w.sim.Journal() {
		if call.Method == method {
			times = append(times, call.Time)
		}
	}
	return times
}

// ask asks for a whole reading and does not wait for it.
func (w *world) ask() {
	GinkgoHelper()
	w.requests++
	edit(w, w.organization(), func(org *v1alpha1.Organization) {
		org.Annotations = map[string]string{v1alpha1.SyncRequestedAtAnnotation: time.Now().String()}
	})
}

// deleteNamespace deletes the namespace as kubectl does, with kube-controller-manager at work.
func (w *world) deleteNamespace() {
	GinkgoHelper()
	Expect(admin.Delete(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})).To(Succeed())
}

// expectSays waits until the object says something with a reason, which may have been the reason for something else before.
func (w *world) expectSays(object client.Object, reason, message string) {
	GinkgoHelper()
	Eventually(func() string { return w.verdict(object) + ": " + w.message(object) }).Should(
		And(ContainSubstring(" "+reason), ContainSubstring(message)))
}

// leavers are the lines of the Organization's leavers.
func (w *world) leavers() []v1alpha1.Leaver {
	GinkgoHelper()
	return w.status().Leaving
}

// verdictsOf watches an object. The function it returns tells every verdict that was seen.
func (w *world) verdictsOf(object client.Object) func() []string {
	GinkgoHelper()
	watched, err := admin.Watch(w.ctx, &v1alpha1.OrgUserList{}, client.InNamespace(w.namespace), client.MatchingFields{"metadata.name": object.GetName()})
	Expect(err).NotTo(HaveOccurred())
	var mu sync.Mutex
	var seen []string
	go func() {
		for event := range watched.ResultChan() {
			if user, ok := event.Object.(*v1alpha1.OrgUser); ok {
				for _, c := range user.Status.Conditions {
					if c.Type == v1alpha1.ConditionReady {
						mu.Lock()
						seen = append(seen, "Ready="+string(c.Status)+" "+c.Reason)
						mu.Unlock()
					}
				}
			}
		}
	}()
	DeferCleanup(watched.Stop)
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// expectAllReady waits until so many OrgUsers are ready.
func (w *world) expectAllReady(count int) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		list := &v1alpha1.OrgUserList{}
		g.Expect(admin.List(w.ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		ready := 0
		for i := range list.Items {
			conditions := list.Items[i].Status.Conditions
			if slices.ContainsFunc(conditions, func(c metav1.Condition) bool {
				return c.Type == v1alpha1.ConditionReady && c.Status == metav1.ConditionTrue
			}) {
				ready++
			}
		}
		g.Expect(ready).To(Equal(count))
	}).WithTimeout(2 * time.Minute).WithPolling(200 * time.Millisecond).Should(Succeed())
}
