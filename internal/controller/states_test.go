package controller_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

var recordStates = flag.Bool("record-states", false, "write an object in each state that the stories reach into test/argocd/testdata")

// statesFolder has an object in each state, on which the health checks for Argo CD are tried.
var statesFolder = filepath.Join("..", "..", "test", "argocd", "testdata")

// reached are the objects, by state, that the stories came across, and the states that a story insisted on: those are
// the same in every run.
var reached = struct {
	sync.Mutex
	states   map[string]*unstructured.Unstructured
	insisted map[string]bool
}{states: map[string]*unstructured.Unstructured{}, insisted: map[string]bool{}}

// noteState keeps the first object in its state. insisted says that a story waited for it.
func noteState(object client.Object, insisted bool) {
	GinkgoHelper()
	untyped := untypedOf(object)
	state := stateOf(object, untyped.GetKind())
	reached.Lock()
	defer reached.Unlock()
	if _, ok := reached.states[state]; !ok {
		reached.states[state] = untyped
	}
	if insisted {
		reached.insisted[state] = true
	}
}

// stateOf words the state of an object: its kind, its reason, who moves next, and whether it is being deleted.
func stateOf(object client.Object, kind string) string {
	words := []string{strings.ToLower(kind)}
	conditions, _ := conditionsOf(object)
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		words = append(words, "new")
	case !isObserved(object):
		words = append(words, "outdated")
	default:
		words = append(words, ready.Reason)
		for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
			if meta.IsStatusConditionTrue(conditions, kind) {
				words = append(words, strings.ToLower(kind))
			}
		}
	}
	if !object.GetDeletionTimestamp().IsZero() {
		words = append(words, "deleting")
	}
	return strings.Join(words, "-")
}

func untypedOf(object client.Object) *unstructured.Unstructured {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	Expect(err).NotTo(HaveOccurred())
	untyped := &unstructured.Unstructured{Object: content}
	kind, err := apiutil.GVKForObject(object, scheme)
	Expect(err).NotTo(HaveOccurred())
	untyped.SetGroupVersionKind(kind)
	return untyped
}

// Every state that a story insists on is one that the health checks are tried on. Each process has its own stories.
var _ = AfterSuite(func() {
	reached.Lock()
	defer reached.Unlock()
	if *recordStates {
		for state, object := range reached.states {
			text, err := yaml.Marshal(withoutIdentity(object).Object)
			Expect(err).NotTo(HaveOccurred())
			Expect(os.WriteFile(filepath.Join(statesFolder, state+".yaml"), text, 0o600)).To(Succeed())
		}
	}
	for state := range reached.insisted {
		Expect(filepath.Join(statesFolder, state+".yaml")).To(BeAnExistingFile(), "run make states, and look at the health that test/argocd gives it")
	}
})

// withoutIdentity leaves out what differs from run to run.
func withoutIdentity(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "managedFields", "creationTimestamp", "namespace"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	return object
}
