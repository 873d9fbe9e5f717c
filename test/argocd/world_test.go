package argocd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const (
	waveAnnotation = "argocd.argoproj.io/sync-wave"
	// patience is how long anything may take.
	patience = 90 * time.Second
)

// commit is what a repository renders to.
type commit []*unstructured.Unstructured

func (c commit) copy() (copied commit) {
	for _, object := range c {
		copied = append(copied, object.DeepCopy())
	}
	return copied
}

// with is the commit with further objects.
func (c commit) with(objects ...*unstructured.Unstructured) commit {
	return append(c.copy(), objects...)
}

func annotate(object *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	object.SetAnnotations(annotations)
	return object
}

// wave puts an object into a wave of Argo CD, or into the Kustomization of Flux with that number.
func wave(number int, object *unstructured.Unstructured) *unstructured.Unstructured {
	return annotate(object, waveAnnotation, fmt.Sprint(number))
}

// replaced has the engines delete the object and create it anew where it cannot be changed.
func replaced(object *unstructured.Unstructured) *unstructured.Unstructured {
	annotate(object, "argocd.argoproj.io/sync-options", "Replace=true,Force=true")
	return annotate(object, fluxGroup+"/force", "enabled")
}

// engine brings a cluster to a commit.
type engine interface {
	sync(ctx context.Context, objects commit) error
}

// world is an organization, two namespaces that a repository manages for it, and the engine that does so.
type world struct {
	*cluster
	*WithT
	engine

	ctx context.Context
	sim *openaitest.Server
	// name is that of the first namespace, and of everybody's domain.
	name, second string
	delay        time.Duration
	// changed are the changes of the organization that are called for.
	changed []string
	stuck   func(engine) bool
	t       *testing.T
}

// newOrganization is a simulated one. It lasts as long as the test.
func newOrganization(t *testing.T) *openaitest.Server {
	t.Helper()
	sim := openaitest.NewServer()
	t.Cleanup(sim.Close)
	return sim
}

// newWorld makes the namespaces with their Secret and gives the organization its people.
func newWorld(t *testing.T, c *cluster, sim *openaitest.Server, name string, delay time.Duration) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	w := &world{cluster: c, WithT: NewWithT(t), t: t, ctx: ctx, sim: sim, name: name, second: name + "-2", delay: delay}
	w.SetDefaultEventuallyTimeout(patience)
	w.SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	for _, role := range []string{"usage-viewer", "model-evaluator"} {
		w.sim.AddRole(openaitest.Role{Name: role})
	}
	for _, owner := range []string{"ada", "margaret"} {
		w.join(owner, "owner")
	}
	for _, reader := range []string{"grace", "edsger", "dorothy"} {
		w.join(reader, "reader")
	}
	for _, namespace := range []string{w.name, w.second} {
		w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		w.create(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "openai-admin-key"},
			StringData: map[string]string{"api-key": w.sim.AdminKey(), "base-url": w.sim.URL()},
		})
	}
	return w
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	w.Expect(w.admin.Create(w.ctx, object)).To(Succeed())
}

func (w *world) email(person string) string { return person + "@" + w.name + ".example.com" }

func (w *world) join(person, role string) {
	id := w.sim.AddUser(openaitest.User{Email: w.email(person), Role: role})
	w.absence.knows(w.name, id, w.email(person))
}

func (w *world) id(person string) string {
	w.t.Helper()
	for _, member := range w.sim.Members() {
		if member.Email == w.email(person) {
			return member.ID
		}
	}
	w.t.Fatalf("%s is not a member", person)
	return ""
}

func manifest(text string, arguments ...any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(fmt.Appendf(nil, "apiVersion: "+v1alpha1.GroupVersion.String()+"\n"+text, arguments...), &object.Object); err != nil {
		panic(err)
	}
	return object
}

func (w *world) organization(namespace string) *unstructured.Unstructured {
	return manifest(`
kind: Organization
metadata: {namespace: %s, name: default}
spec:
  adminKeySecretRef: {name: openai-admin-key}
  requestsPerMinute: 100000
  guard: {maxRemovals: 100%%, removalDelay: %s}
`, namespace, w.delay)
}

func user(namespace, name, whom string) *unstructured.Unstructured {
	return manifest(`
kind: OrgUser
metadata: {namespace: %s, name: %s}
spec: {%s, role: reader}
`, namespace, name, whom)
}

// user declares the person in the first namespace.
func (w *world) user(name, person string) *unstructured.Unstructured {
	return user(w.name, name, "email: "+w.email(person))
}

// viewers gives a role to OrgUsers by their names.
func (w *world) viewers(names ...string) *unstructured.Unstructured {
	subjects := []string{}
	for _, name := range names {
		subjects = append(subjects, "{orgUser: "+name+"}")
	}
	return w.binding("viewers", "usage-viewer", subjects...)
}

func (w *world) binding(name, role string, subjects ...string) *unstructured.Unstructured {
	return manifest(`
kind: OrgUserRoleBinding
metadata: {namespace: %s, name: %s}
spec: {roleRef: {name: %s}, subjects: [%s]}
`, w.name, name, role, strings.Join(subjects, ", "))
}

// base is what every commit has: the Organization, an OrgUser that nobody touches, and a role for grace by her address.
func (w *world) base() commit {
	return commit{w.organization(w.name), w.user("edsger", "edsger"), w.binding("evaluators", "model-evaluator", "{email: "+w.email("grace")+"}")}
}

// begin brings the cluster to the first commit.
func (w *world) begin(first commit) {
	w.t.Helper()
	w.syncTo(first)
	w.expectReady(first)
	w.sim.ResetJournal()
}

func (w *world) syncTo(objects commit) {
	w.t.Helper()
	w.Expect(w.sync(w.ctx, objects)).To(Succeed())
}

// expectReady waits until everything of the commit is ready, and nothing else is there.
func (w *world) expectReady(objects commit) {
	w.t.Helper()
	for _, object := range objects {
		w.Eventually(w.ready).WithArguments(object).Should(Equal("True InSync"), "%s %s", object.GetKind(), object.GetName())
	}
	w.Eventually(func(g Gomega) {
		count := 0
		for _, namespace := range []string{w.name, w.second} {
			for _, kind := range []client.ObjectList{&v1alpha1.OrganizationList{}, &v1alpha1.OrgUserList{}, &v1alpha1.OrgUserRoleBindingList{}} {
				g.Expect(w.admin.List(w.ctx, kind, client.InNamespace(namespace))).To(Succeed())
				count += meta.LenList(kind)
			}
		}
		g.Expect(count).To(Equal(len(objects)))
	}).Should(Succeed())
}

// ready is the status and the reason of Ready, once it is about the object as it stands.
func (w *world) ready(object *unstructured.Unstructured) string {
	live := object.DeepCopy()
	if err := w.admin.Get(w.ctx, client.ObjectKeyFromObject(object), live); err != nil {
		return err.Error()
	}
	if observed, _, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration"); observed != live.GetGeneration() {
		return "not observed yet"
	}
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, condition := range conditions {
		if c, ok := condition.(map[string]any); ok && c["type"] == "Ready" {
			return fmt.Sprint(c["status"], " ", c["reason"])
		}
	}
	return "no condition Ready"
}

func (w *world) leavers() (leavers []v1alpha1.Leaver) {
	w.t.Helper()
	list := &v1alpha1.OrganizationList{}
	w.Expect(w.admin.List(w.ctx, list)).To(Succeed())
	for _, organization := range list.Items {
		if organization.Namespace == w.name || organization.Namespace == w.second {
			leavers = append(leavers, organization.Status.Leaving...)
		}
	}
	return leavers
}

// changes are the changes of the organization since the first commit came true.
func (w *world) changes() (changes []string) {
	for _, call := range w.sim.Mutations() {
		changes = append(changes, call.Method+" "+call.Endpoint+" "+call.Email)
	}
	return changes
}

// resync asks for a whole reading.
func (w *world) resync() {
	w.t.Helper()
	organization := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Namespace: w.name, Name: "default"}}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.SyncRequestedAtAnnotation, time.Now().Format(time.RFC3339Nano))
	w.Expect(w.admin.Patch(w.ctx, organization, client.RawPatch("application/merge-patch+json", []byte(patch)))).To(Succeed())
}
