package controller_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// expectKstatus holds what kstatus makes of an object, with which Flux and others wait, against what a person reads
// from it. Every story asks, so that every state that they reach is tried.
func expectKstatus(object client.Object) {
	GinkgoHelper()
	result, err := status.Compute(untypedOf(object))
	Expect(err).NotTo(HaveOccurred())

	conditions, _ := conditionsOf(object)
	want := status.InProgressStatus
	switch {
	case !object.GetDeletionTimestamp().IsZero():
		want = status.TerminatingStatus
	case !isObserved(object):
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		want = status.CurrentStatus
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		want = status.FailedStatus
	}
	Expect(result.Status).To(Equal(want), "kstatus of %s: %s", client.ObjectKeyFromObject(object), result.Message)
}
