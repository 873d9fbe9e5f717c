package controller_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/controller"
	manifests "github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const secretName = "openai-admin-key"

// requestTimeout bounds a request, and with it how long a lost answer may still be carried out.
const requestTimeout = 2 * time.Second

// world is a namespace with an Organization, a simulated organization and a manager of its own.
type world struct {
	ctx       context.Context
	namespace string
	sim       *openaitest.Server
	writes    *writeCounter
	// metrics has what the present manager registered.
	metrics *prometheus.Registry
	// stop ends the manager as SIGTERM does, kill as SIGKILL does.
	stop, kill func()
	requests   int
	// watchLag is how much later the manager is told of changes.
	watchLag time.Duration
	// requestTimeout bounds a request.
	requestTimeout time.Duration
}

// newWorld makes a namespace and an organization with the given people, and starts a manager.
func newWorld(ctx context.Context, people ...openaitest.User) *world {
	GinkgoHelper()
	return newWorldWith(ctx, func(*v1alpha1.OrganizationSpec) {}, people...)
}

// newWorldWith is newWorld with other rules.
func newWorldWith(ctx context.Context, rules func(*v1alpha1.OrganizationSpec), people ...openaitest.User) *world {
	GinkgoHelper()
	w := emptyWorld(ctx, people...)
	w.begin(rules)
	return w
}

// begin makes the Organization with its rules, and starts a manager.
func (w *world) begin(rules func(*v1alpha1.OrganizationSpec)) {
	GinkgoHelper()
	org := w.organization()
	rules(&org.Spec)
	w.create(w.secret(), org)
	w.startManager()
	w.expectReady(w.organization())
}

// emptyWorld makes a namespace and an organization, but no objects and no manager.
func emptyWorld(ctx context.Context, people ...openaitest.User) *world {
	GinkgoHelper()
	w := &world{ctx: context.WithoutCancel(ctx), sim: openaitest.NewServer(), writes: &writeCounter{}, stop: func() {}, kill: func() {}, requestTimeout: requestTimeout}
	DeferCleanup(w.sim.Close)
	DeferCleanup(func() { w.stop() })
	for _, person := range people {
		w.sim.AddUser(person)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "world-"}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	w.namespace = namespace.Name
	return w
}

// startManager starts a manager for this namespace. Calling w.stop or w.kill ends it and waits for it.
func (w *world) startManager() {
	GinkgoHelper()
	rest := rest.CopyConfig(plane.Config)
	rest.Wrap(w.writes.wrap)
	if w.watchLag > 0 {
		rest.Wrap(laggingWatches(w.watchLag))
	}
	var killed atomic.Bool
	rest.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if killed.Load() {
				return nil, errors.New("the manager was killed")
			}
			return next.RoundTrip(request)
		})
	})
	mgr, err := ctrl.NewManager(rest, ctrl.Options{
		Scheme:     scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{w.namespace: {}}, DefaultTransform: manifests.Trim},
		Client:     client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(w.ctx)
	w.metrics = prometheus.NewRegistry()
	Expect(controller.SetupWithManager(ctx, mgr, controller.Options{
		Workers: 20, Metrics: w.metrics, RequestTimeout: w.requestTimeout, Linger: -1,
	})).To(Succeed())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			// A manager of controller-runtime v0.25 that is stopped before its caches are filled never ends.
			if !killed.Load() {
				<-mgr.Elected()
			}
			cancel()
			Expect(<-done).To(Succeed())
		})
	}
	// From one moment to the next it writes nothing more into Kubernetes, whatever it was at.
	w.kill = func() {
		<-mgr.Elected()
		killed.Store(true)
		w.stop()
	}
}

func (w *world) secret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: w.named(secretName),
		StringData: map[string]string{"api-key": w.sim.AdminKey(), "base-url": w.sim.URL()},
	}
}

func (w *world) organization() *v1alpha1.Organization {
	return &v1alpha1.Organization{
		ObjectMeta: w.named("default"),
		Spec: v1alpha1.OrganizationSpec{
			AdminKeySecretRef: v1alpha1.SecretKeyReference{Name: secretName},
			RequestsPerMinute: 100000,
			// The stories of the guard set narrower rules.
			Guard: v1alpha1.Guard{MinOwners: 1, MaxRemovals: new(intstr.FromString("100%")), RemovalDelay: &metav1.Duration{}},
		},
	}
}

func (w *world) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

// orgUser declares the person with the address name@example.com.
func (w *world) orgUser(name string, declare ...func(*v1alpha1.OrgUserSpec)) *v1alpha1.OrgUser {
	user := &v1alpha1.OrgUser{ObjectMeta: w.named(name), Spec: v1alpha1.OrgUserSpec{Email: name + "@example.com"}}
	for _, d := range declare {
		d(&user.Spec)
	}
	return user
}

func role(role v1alpha1.UserRole) func(*v1alpha1.OrgUserSpec) {
	return func(spec *v1alpha1.OrgUserSpec) { spec.Role = role }
}

func retain(spec *v1alpha1.OrgUserSpec) { spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain }

// binding gives the role with the name to the OrgUsers.
func (w *world) binding(name, roleName string, orgUsers ...string) *v1alpha1.OrgUserRoleBinding {
	binding := &v1alpha1.OrgUserRoleBinding{
		ObjectMeta: w.named(name),
		Spec:       v1alpha1.OrgUserRoleBindingSpec{RoleRef: v1alpha1.RoleReference{Name: roleName}, Subjects: []v1alpha1.Subject{}},
	}
	for _, user := range orgUsers {
		binding.Spec.Subjects = append(binding.Spec.Subjects, v1alpha1.Subject{OrgUser: user})
	}
	return binding
}

func (w *world) create(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(admin.Create(w.ctx, object)).To(Succeed())
	}
}

// edit changes an object as kubectl edit does.
func edit[T client.Object](w *world, object T, change func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := admin.Get(w.ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		before, ok := object.DeepCopyObject().(client.Object)
		Expect(ok).To(BeTrue())
		change(object)
		// Only what was changed is sent: a whole object would come back with its durations spelt otherwise.
		return admin.Patch(w.ctx, object, client.MergeFrom(before))
	}).Should(Succeed())
}

func (w *world) delete(object client.Object) {
	GinkgoHelper()
	Expect(admin.Delete(w.ctx, object)).To(Succeed())
}

// resync asks for a whole reading and waits for it.
func (w *world) resync() {
	GinkgoHelper()
	w.requests++
	request := fmt.Sprintf("%d", w.requests)
	org := w.organization()
	edit(w, org, func(org *v1alpha1.Organization) {
		org.Annotations = map[string]string{v1alpha1.SyncRequestedAtAnnotation: request}
	})
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
		g.Expect(org.Status.LastHandledSyncRequest).To(Equal(request))
	}).Should(Succeed())
}

func conditionsOf(object client.Object) ([]metav1.Condition, int64) {
	switch o := object.(type) {
	case *v1alpha1.Organization:
		return o.Status.Conditions, o.Status.ObservedGeneration
	case *v1alpha1.OrgUser:
		return o.Status.Conditions, o.Status.ObservedGeneration
	case *v1alpha1.OrgUserRoleBinding:
		return o.Status.Conditions, o.Status.ObservedGeneration
	}
	Fail(fmt.Sprintf("%T has no conditions", object))
	return nil, 0
}

// isObserved says whether the conditions are of the object as it stands.
func isObserved(object client.Object) bool {
	conditions, observed := conditionsOf(object)
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	return ready != nil && observed == object.GetGeneration() && ready.ObservedGeneration == object.GetGeneration()
}

// verdict is what a person reads from the conditions: the reason of Ready, and who moves next.
func (w *world) verdict(object client.Object) string {
	GinkgoHelper()
	if err := admin.Get(w.ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err.Error()
	}
	expectKstatus(object)
	noteState(object, false)
	if !isObserved(object) {
		return "not observed yet"
	}
	conditions, _ := conditionsOf(object)
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	words := []string{"Ready=" + string(ready.Status), ready.Reason}
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if c := meta.FindStatusCondition(conditions, kind); c != nil {
			words = append(words, kind+"="+string(c.Status))
			if c.Reason != ready.Reason || c.Message != ready.Message {
				words = append(words, "(and says otherwise than Ready)")
			}
		}
	}
	return strings.Join(words, " ")
}

const (
	inSync  = "Ready=True InSync"
	waits   = "Ready=False %s Reconciling=True"
	isStuck = "Ready=False %s Stalled=True"
)

func (w *world) expectVerdict(object client.Object, want string) {
	GinkgoHelper()
	Eventually(func() string { return w.verdict(object) }).Should(Equal(want), func() string {
		return "message: " + w.message(object)
	})
	noteState(object, true)
}

func (w *world) expectReady(objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		w.expectVerdict(object, inSync)
	}
}

func (w *world) expectWaiting(object client.Object, reason, message string) {
	GinkgoHelper()
	w.expectVerdict(object, fmt.Sprintf(waits, reason))
	Expect(w.message(object)).To(ContainSubstring(message))
}

func (w *world) expectStalled(object client.Object, reason, message string) {
	GinkgoHelper()
	w.expectVerdict(object, fmt.Sprintf(isStuck, reason))
	Expect(w.message(object)).To(ContainSubstring(message))
}

func (w *world) message(object client.Object) string {
	conditions, _ := conditionsOf(object)
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Message
	}
	return ""
}

func (w *world) expectGone(object client.Object) {
	GinkgoHelper()
	Eventually(func() error {
		return client.IgnoreNotFound(errorUnlessGone(w.ctx, object))
	}).Should(Succeed())
}

func errorUnlessGone(ctx context.Context, object client.Object) error {
	if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return err
	}
	return fmt.Errorf("%s is still there", client.ObjectKeyFromObject(object))
}

// expectEvent waits for an event about the object.
func (w *world) expectEvent(object client.Object, reason, note string) {
	GinkgoHelper()
	Eventually(w.events).WithArguments(object).Should(ContainElement(And(HavePrefix(reason+": "), ContainSubstring(note))))
}

// events are the events about the object, in the order in which they happened.
func (w *world) events(object client.Object) (notes []string) {
	GinkgoHelper()
	list := &eventsv1.EventList{}
	Expect(admin.List(w.ctx, list, client.InNamespace(w.namespace))).To(Succeed())
	slices.SortFunc(list.Items, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	for _, event := range list.Items {
		if event.Regarding.Name == object.GetName() {
			notes = append(notes, event.Reason+": "+event.Note)
		}
	}
	return notes
}

// settle waits until the Organization has counted its OrgUsers, which it does some seconds after they come,
// and then until all is quiet.
func (w *world) settle() {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		users, org := &v1alpha1.OrgUserList{}, w.organization()
		g.Expect(admin.List(w.ctx, users, client.InNamespace(w.namespace))).To(Succeed())
		g.Expect(admin.Get(w.ctx, client.ObjectKeyFromObject(org), org)).To(Succeed())
		g.Expect(org.Status.DeclaredUsers).To(HaveValue(BeEquivalentTo(len(users.Items))))
	}).Should(Succeed())
	w.quiet()
}

// quiet waits until neither calls nor writes have been made for longer than the sweep of role assignments
// takes to come round.
func (w *world) quiet() {
	GinkgoHelper()
	const still = 1500 * time.Millisecond
	seen, since := -1, time.Now()
	Eventually(func() bool {
		if now := len(w.sim.Journal()) + w.writes.total(); now != seen {
			seen, since = now, time.Now()
		}
		return time.Since(since) > still
	}).Should(BeTrue(), "calls and writes go on and on")
}

// writeCounter counts the writes to the Kubernetes API by resource: "patch orgusers/status". Events and
// Leases are left out.
type writeCounter struct {
	mu     sync.Mutex
	counts map[string]int
	// failing is in the body of a write that fails, once; "" is in none.
	failing string
}

// failOnce has the next write fail that has the text in its body.
func (c *writeCounter) failOnce(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = text
}

// fails says whether a write fails. c.mu is held.
func (c *writeCounter) fails(request *http.Request) bool {
	if c.failing == "" || request.GetBody == nil {
		return false
	}
	body, err := request.GetBody()
	if err != nil {
		return false
	}
	text, err := io.ReadAll(body)
	if err != nil || !strings.Contains(string(text), c.failing) {
		return false
	}
	c.failing = ""
	return true
}

func (c *writeCounter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method != http.MethodGet && !strings.Contains(request.URL.Path, "/events") {
			c.mu.Lock()
			if c.counts == nil {
				c.counts = map[string]int{}
			}
			c.counts[writeOf(request)]++
			fails := c.fails(request)
			c.mu.Unlock()
			if fails {
				return nil, errors.New("the write failed")
			}
		}
		return next.RoundTrip(request)
	})
}

// writeOf words a write: the method, the resource and the subresource.
func writeOf(request *http.Request) string {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	for i, part := range parts {
		if part == "namespaces" && len(parts) > i+2 {
			parts = parts[i+2:]
			break
		}
	}
	if len(parts) > 1 {
		parts = append(parts[:1], parts[2:]...)
	}
	return strings.ToLower(request.Method) + " " + strings.Join(parts, "/")
}

func (c *writeCounter) total() int {
	total := 0
	for _, count := range c.take(false) {
		total += count
	}
	return total
}

// take returns the counts, and with reset begins anew.
func (c *writeCounter) take(reset bool) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int{}
	maps.Copy(counts, c.counts)
	if reset {
		c.counts = nil
	}
	return counts
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
