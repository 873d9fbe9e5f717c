package e2e_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rightsStory does everything that needs a right, and holds what was asked for against what config/rbac gives.
func rightsStory() {
	It("uses every right that it has, and asks for no other", func(ctx SpecContext) {
		begun := time.Now()
		// As where the API server streams no lists: then the right to list is needed.
		GinkgoT().Setenv("KUBE_FEATURE_WatchListClient", "false")
		forgetLease(ctx) // that of an earlier story
		metrics := freeAddress()
		startManager(ctx, "--metrics-bind-address="+metrics)
		t := newTeam(ctx, "rights")
		t.declare(ctx, "grace", "role: owner")
		t.bind(ctx, "alan")
		t.ready(ctx, "orguser/grace", "orgurb/viewers")
		// An event that comes again is patched.
		for range 3 {
			t.sim.SetRole("user-grace", "reader")
			t.reread(ctx)
			Eventually(func() string { return t.role("grace") }).Should(Equal("owner"))
		}
		t.in(ctx, "delete", "orguser/grace", "orgurb/viewers", "--timeout=60s")
		t.scrape(ctx, metrics)

		granted := grantedRights(ctx)
		Expect(granted).To(ContainElements("get secrets", "patch orgusers.openai.rollcall.dev/status", "create tokenreviews.authentication.k8s.io"))
		Eventually(func() []string {
			used := rightsAskedFor(begun, true)
			return slices.DeleteFunc(slices.Clone(granted), func(right string) bool { return slices.Contains(used, right) })
		}).Should(BeEmpty(), "these rights are not used: take them out of config/rbac")
		Expect(rightsAskedFor(begun, false)).To(BeEmpty(), "these were refused: put them into config/rbac")
	})
}

// scrape reads the metrics as Prometheus does, with a ServiceAccount that may.
func (t *team) scrape(ctx context.Context, address string) {
	GinkgoHelper()
	t.in(ctx, "create", "serviceaccount", "prometheus")
	kubectl(ctx, "create", "clusterrolebinding", "prometheus-of-"+t.name, "--clusterrole=rollcall-metrics-reader", "--serviceaccount="+t.name+":prometheus")
	DeferCleanup(func(ctx SpecContext) { kubectl(ctx, "delete", "clusterrolebinding", "prometheus-of-"+t.name) })
	token := strings.TrimSpace(t.in(ctx, "create", "token", "prometheus"))
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	DeferCleanup(browser.CloseIdleConnections)
	Eventually(func(g Gomega) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/metrics", http.NoBody)
		g.Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := browser.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		defer response.Body.Close()
		g.Expect(response).To(HaveHTTPStatus(http.StatusOK))
	}).Should(Succeed())
}

// grantedRights are the rights that bindings give to the manager's ServiceAccount itself: "VERB RESOURCE" or
// "VERB RESOURCE NAME".
func grantedRights(ctx context.Context) (rights []string) {
	GinkgoHelper()
	cluster, err := client.New(plane.Config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	inCluster, inNamespaces := &rbacv1.ClusterRoleBindingList{}, &rbacv1.RoleBindingList{}
	Expect(cluster.List(ctx, inCluster)).To(Succeed())
	Expect(cluster.List(ctx, inNamespaces)).To(Succeed())
	isManager := func(s rbacv1.Subject) bool {
		return s.Kind == "ServiceAccount" && s.Namespace == namespace && s.Name == account
	}
	for _, binding := range inCluster.Items {
		if slices.ContainsFunc(binding.Subjects, isManager) {
			role := &rbacv1.ClusterRole{}
			Expect(cluster.Get(ctx, client.ObjectKey{Name: binding.RoleRef.Name}, role)).To(Succeed())
			rights = append(rights, rightsOf(role.Rules)...)
		}
	}
	for _, binding := range inNamespaces.Items {
		if slices.ContainsFunc(binding.Subjects, isManager) {
			role := &rbacv1.Role{}
			Expect(cluster.Get(ctx, client.ObjectKey{Namespace: binding.Namespace, Name: binding.RoleRef.Name}, role)).To(Succeed())
			rights = append(rights, rightsOf(role.Rules)...)
		}
	}
	return rights
}

func rightsOf(rules []rbacv1.PolicyRule) (rights []string) {
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				resource, subresource, _ := strings.Cut(resource, "/")
				for _, verb := range rule.Verbs {
					right := wordRight(verb, group, resource, subresource)
					if len(rule.ResourceNames) == 0 {
						rights = append(rights, right)
					}
					for _, name := range rule.ResourceNames {
						rights = append(rights, right+" "+name)
					}
				}
			}
		}
	}
	return rights
}

func wordRight(verb, group, resource, subresource string) string {
	if group != "" {
		resource += "." + group
	}
	if subresource != "" {
		resource += "/" + subresource
	}
	return verb + " " + resource
}

// rightsAskedFor are those that the manager asked for since a moment and was granted, or was refused; each with
// and without the name of the object.
func rightsAskedFor(since time.Time, granted bool) (rights []string) {
	GinkgoHelper()
	requests, err := plane.Requests()
	Expect(err).NotTo(HaveOccurred())
	for _, r := range requests {
		// kubectl is a story's that acts as the manager.
		if r.User.Username != "system:serviceaccount:"+namespace+":"+account || strings.HasPrefix(r.UserAgent, "kubectl/") ||
			r.Object == nil || r.Received.Before(since) || r.Allowed() != granted {
			continue
		}
		right := wordRight(r.Verb, r.Object.Group, r.Object.Resource, r.Object.Subresource)
		rights = append(rights, right, right+" "+r.Object.Name)
	}
	slices.Sort(rights)
	return slices.Compact(rights)
}
