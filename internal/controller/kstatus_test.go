package controller_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// expectKstatus holds what kstatus makes of an object, with which Flux and others wait, against what a person reads
// from it. Every story asks, so that every state that they reach is tried.
func expectKstatus(object client.Object, observed bool) {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	Expect(err).NotTo(HaveOccurred())
	untyped := &unstructured.Unstructured{Object: content}
	kind, err := apiutil.GVKForObject(object, scheme)
	Expect(err).NotTo(HaveOccurred())
	untyped.SetGroupVersionKind(kind)
	result, err := status.Compute(untyped)
	Expect(err).NotTo(HaveOccurred())

	conditions, _ := conditionsOf(object)
	want := status.InProgressStatus
	switch {
	case !object.GetDeletionTimestamp().IsZero():
		want = status.TerminatingStatus
	case !observed:
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		want = status.CurrentStatus
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		want = status.FailedStatus
	}
	Expect(result.Status).To(Equal(want), "kstatus of %s: %s", client.ObjectKeyFromObject(object), result.Message)
}
