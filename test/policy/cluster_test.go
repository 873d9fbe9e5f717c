package policy_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

var _ = Describe("The policies", Ordered, func() {
	Describe("say that OrgUsers", Ordered, orgUsers)
	Describe("say that Organizations", Ordered, organizations)
	Describe("need not say that OrgUserRoleBindings", bindings)

	It("have no expression that does not fit the kinds", func(ctx SpecContext) {
		for _, name := range []string{"rollcall-orguser", "rollcall-organization"} {
			Eventually(func() string {
				return kubectl(ctx, administrator, "get", "validatingadmissionpolicy", name, "-o",
					"jsonpath={.status.observedGeneration} {.status.typeChecking}")
			}).Should(Equal("1 {}"), "no warnings")
		}
	})

	It("let rollcall itself work, for owners too", func(ctx SpecContext) {
		newTeam(ctx, "works")
		must(ctx, granter, orgUser("grace", "role: owner"), "create", "-n", "works", "-f", "-")
		kubectl(ctx, administrator, "wait", "orguser/grace", "-n", "works", "--for=condition=Ready", "--timeout=60s")
		Expect(role("grace")).To(Equal("owner"))
		Expect(kubectl(ctx, administrator, "get", "orguser/grace", "-n", "works", "-o", "jsonpath={.metadata.finalizers}")).To(
			ContainSubstring("openai.rollcall.dev/finalizer"))
		kubectl(ctx, granter, "delete", "orguser", "grace", "-n", "works", "--cascade=foreground", "--timeout=60s")
		Eventually(func() string { return role("grace") }).Should(Equal("no member"))
	})

	It("keep no namespace from being deleted, and nobody leaves by that", func(ctx SpecContext) {
		newTeam(ctx, "goes")
		must(ctx, granter, orgUser("ada", "role: owner"), "create", "-n", "goes", "-f", "-")
		must(ctx, granter, orgUser("bob"), "create", "-n", "goes", "-f", "-")
		kubectl(ctx, administrator, "wait", "orguser/ada", "orguser/bob", "-n", "goes", "--for=condition=Ready", "--timeout=60s")
		kubectl(ctx, administrator, "delete", "namespace", "goes", "--timeout=90s")
		Expect(role("ada")).To(Equal("owner"))
		Expect(role("bob")).To(Equal("owner"))
	})

	It("hold up the garbage collector, which would delete an owner for whoever set an owner reference, until it has the right", func(ctx SpecContext) {
		newTeam(ctx, "collected")
		must(ctx, granter, orgUser("ada", "role: owner"), "create", "-n", "collected", "-f", "-")
		must(ctx, tenant, orgUser("grace"), "create", "-n", "collected", "-f", "-")
		kubectl(ctx, administrator, "wait", "orguser/ada", "orguser/grace", "-n", "collected", "--for=condition=Ready", "--timeout=60s")
		kubectl(ctx, administrator, "create", "configmap", "bait", "-n", "collected")
		uid := kubectl(ctx, administrator, "get", "configmap", "bait", "-n", "collected", "-o", "jsonpath={.metadata.uid}")
		for _, person := range []string{"ada", "grace"} {
			kubectl(ctx, tenant, "patch", "orguser", person, "-n", "collected", "--type=merge", "-p",
				`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"bait","uid":"`+uid+`"}]}}`)
		}
		kubectl(ctx, administrator, "delete", "configmap", "bait", "-n", "collected")
		kubectl(ctx, administrator, "wait", "orguser/grace", "-n", "collected", "--for=delete", "--timeout=120s")
		Eventually(func() string { return role("grace") }).Should(Equal("no member"))
		// It tries both in one go, and again and again.
		Consistently(role, "2s").WithArguments("ada").Should(Equal("owner"))
		Expect(kubectl(ctx, administrator, "get", "orguser", "ada", "-n", "collected", "-o", "jsonpath={.metadata.deletionTimestamp}")).To(BeEmpty())

		kubectl(ctx, administrator, "create", "rolebinding", "collector", "-n", "collected",
			"--clusterrole=rollcall-organization-owner-granter", "--serviceaccount=kube-system:generic-garbage-collector")
		kubectl(ctx, administrator, "wait", "orguser/ada", "-n", "collected", "--for=delete", "--timeout=120s")
		Eventually(func() string { return role("ada") }).Should(Equal("no member"))
	})

	It("leave it to an administrator to take the kinds away", func(ctx SpecContext) {
		newTeam(ctx, "last")
		must(ctx, granter, orgUser("ada", "role: owner"), "create", "-n", "last", "-f", "-")
		kubectl(ctx, administrator, "wait", "orguser/ada", "-n", "last", "--for=condition=Ready", "--timeout=60s")
		kubectl(ctx, administrator, "delete", "-k", root+"/config/crd", "--timeout=90s")
		Expect(role("ada")).To(Equal("owner"))
	})
})

// deleteAll deletes all OrgUsers of a namespace by one request.
func deleteAll(ctx context.Context, user, namespace string) error {
	config := rest.CopyConfig(plane.Config)
	config.Impersonate.UserName = user
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	users := schema.GroupVersionResource{Group: "openai.rollcall.dev", Version: "v1alpha1", Resource: "orgusers"}
	return client.Resource(users).Namespace(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})
}
