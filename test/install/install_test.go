// Package install_test installs rollcall from config/ the way its users do, and runs the manager with the
// rights and arguments that config/ gives it, no more.
package install_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
	"github.com/rollcall-dev/rollcall/test/controlplane"
)

const (
	root      = "../.."
	namespace = "rollcall-system"
	account   = "rollcall-controller-manager"
	manager   = "system:serviceaccount:" + namespace + ":" + account
)

var plane *controlplane.ControlPlane

func TestInstall(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Install")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	plane, err = controlplane.Start(ctx, controlplane.Options{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)
})

var _ = Describe("config/", Ordered, func() {
	It("is applied to an empty cluster at the first try", func(ctx SpecContext) {
		Expect(kubectl(ctx, "apply", "-k", root+"/config/default")).To(
			And(ContainSubstring("deployment.apps/rollcall-controller-manager created"), Not(ContainSubstring("Warning"))))
	})

	It("is applied again without a change", func(ctx SpecContext) {
		expectNoChange(ctx, "-k", root+"/config/default")
	})

	Describe("and the rest of config/", theRest)

	It("makes pods that the restricted Pod Security Standard admits", func(ctx SpecContext) {
		create := func(template corev1.PodTemplateSpec) (string, error) {
			pod := corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Name: "tried", Namespace: namespace, Labels: template.Labels},
				Spec:       template.Spec,
			}
			file := filepath.Join(plane.Folder, "pod.json")
			Expect(os.WriteFile(file, asJSON(pod), 0o600)).To(Succeed())
			return try(ctx, "create", "--dry-run=server", "-f", file)
		}
		output, err := create(deployment(ctx).Spec.Template)
		Expect(err).NotTo(HaveOccurred(), output)
		Expect(output).NotTo(ContainSubstring("Warning"))

		privileged := deployment(ctx).Spec.Template
		privileged.Spec.Containers[0].SecurityContext = nil
		output, err = create(privileged)
		Expect(err).To(HaveOccurred(), "the namespace does not enforce the standard, so the check above says nothing")
		Expect(output).To(ContainSubstring(`violates PodSecurity "restricted`))
	})

	DescribeTable("lets the manager", func(ctx SpecContext, verb, resource string, more ...string) {
		Expect(may(ctx, manager, verb, resource, more...)).To(BeTrue())
	},
		Entry("read a Secret by name, wherever an Organization is", "get", "secrets/openai-admin-key", "-n", "team-a"),
		Entry("watch the objects", "watch", "orgusers.openai.rollcall.dev", "-A"),
		Entry("write their status", "patch", "orgusers.openai.rollcall.dev/ada", "--subresource=status", "-n", "team-a"),
		Entry("tell whether the kind is going", "get", "customresourcedefinitions/orgusers.openai.rollcall.dev"),
		Entry("tell whether the namespace is going", "get", "namespaces/team-a"),
		Entry("hold its Lease", "update", "leases/openai.rollcall.dev", "-n", namespace),
	)

	DescribeTable("does not let the manager", func(ctx SpecContext, verb, resource string, more ...string) {
		Expect(may(ctx, manager, verb, resource, more...)).To(BeFalse())
	},
		Entry("list Secrets", "list", "secrets", "-n", "team-a"),
		Entry("watch Secrets", "watch", "secrets", "-n", namespace),
		Entry("write Secrets", "patch", "secrets/openai-admin-key", "-n", "team-a"),
		Entry("delete what people declared", "delete", "orgusers.openai.rollcall.dev/ada", "-n", "team-a"),
		Entry("declare people", "create", "orgusers.openai.rollcall.dev", "-n", "team-a"),
		Entry("change kinds", "update", "customresourcedefinitions/orgusers.openai.rollcall.dev"),
		Entry("look at other kinds", "get", "customresourcedefinitions/others.example.com"),
		Entry("hold a Lease elsewhere", "update", "leases/openai.rollcall.dev", "-n", "kube-system"),
		Entry("hold another Lease", "update", "leases/other", "-n", namespace),
		Entry("see pods", "list", "pods", "-n", namespace),
		Entry("give rights", "create", "rolebindings.rbac.authorization.k8s.io", "-n", "team-a"),
	)

	DescribeTable("adds to the built-in role", func(ctx SpecContext, role string, allowed, forbidden []string) {
		added := strings.Fields(kubectl(ctx, "get", "clusterroles", "--output=name",
			"--selector=rbac.authorization.k8s.io/aggregate-to-"+role+"=true,app.kubernetes.io/name=rollcall"))
		Expect(added).To(HaveLen(3), "one for each kind")
		user := "user-of-" + role
		for _, name := range added {
			short := strings.TrimPrefix(name, "clusterrole.rbac.authorization.k8s.io/")
			kubectl(ctx, "create", "rolebinding", role+"-"+short, "--clusterrole="+short, "--user="+user, "-n", "default")
		}
		for _, kind := range []string{"organizations", "orgusers", "orguserrolebindings"} {
			resource := kind + ".openai.rollcall.dev"
			for _, verb := range allowed {
				Expect(may(ctx, user, verb, resource, "-n", "default")).To(BeTrue(), "%s %s", verb, kind)
			}
			for _, verb := range forbidden {
				Expect(may(ctx, user, verb, resource, "-n", "default")).To(BeFalse(), "%s %s", verb, kind)
			}
			Expect(may(ctx, user, "patch", resource, "--subresource=status", "-n", "default")).To(BeFalse(), "status of %s", kind)
		}
	},
		Entry(nil, "view", []string{"get", "list", "watch"}, []string{"create", "update", "patch", "delete"}),
		Entry(nil, "edit", []string{"get", "list", "watch", "create", "update", "patch", "delete"}, []string{"deletecollection"}),
		Entry(nil, "admin", []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}, nil),
	)

	Describe("with the manager as it is deployed", Ordered, func() {
		var (
			organization    *openaitest.Server
			session         *gexec.Session
			health, metrics string
		)

		BeforeAll(func(ctx SpecContext) {
			program, err := gexec.Build("github.com/rollcall-dev/rollcall/cmd/manager")
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(gexec.CleanupBuildArtifacts)

			organization = openaitest.NewServer()
			DeferCleanup(organization.Close)
			organization.SeedDemo()

			health, metrics = freeAddresses()
			container := deployment(ctx).Spec.Template.Spec.Containers[0]
			Expect(container.ReadinessProbe.HTTPGet.Path).To(Equal("/readyz"))
			kubeconfig, err := plane.ServiceAccountKubeconfig(ctx, namespace, account)
			Expect(err).NotTo(HaveOccurred())
			// What the pod's own network and ServiceAccount give in a cluster is given by flags here.
			arguments := append(slices.Clone(container.Args), "--leader-election-namespace="+namespace,
				"--health-probe-bind-address="+health, "--metrics-bind-address="+metrics,
				"--kubeconfig="+kubeconfig)
			session, err = gexec.Start(exec.Command(program, arguments...), GinkgoWriter, GinkgoWriter)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func() { session.Kill().Wait("10s") })
			Eventually(status("http://"+health+"/readyz", "")).WithTimeout(time.Minute).Should(Equal(http.StatusOK))
		})

		It("elects the manager", func(ctx SpecContext) {
			Eventually(holder).WithContext(ctx).WithTimeout(time.Minute).ShouldNot(BeEmpty())
		})

		It("makes the organization as the samples declare", func(ctx SpecContext) {
			kubectl(ctx, "create", "namespace", "team-a")
			kubectl(ctx, "create", "secret", "generic", "openai-admin-key", "--namespace=team-a",
				"--from-literal=api-key="+organization.AdminKey(), "--from-literal=base-url="+organization.URL())
			kubectl(ctx, "apply", "-k", root+"/config/samples", "--namespace=team-a")
			kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "--all", "--namespace=team-a",
				"organizations,orgusers,orguserrolebindings")

			members := map[string]openaitest.Member{}
			for _, member := range organization.Members() {
				members[member.Email] = member
			}
			Expect(members["ada.lovelace@example.com"].Role).To(Equal("owner"))
			Expect(members["grace.hopper@example.com"].TechnicalLevel).To(Equal("advanced"))
			for _, who := range []string{"ada.lovelace", "grace.hopper", "alan.turing"} {
				Expect(members[who+"@example.com"].Direct).To(ConsistOf("usage-viewer"), who)
			}
		})

		It("shows events of what was done", func(ctx SpecContext) {
			Eventually(kubectl).WithArguments(ctx, "events", "--namespace=team-a").WithTimeout(30 * time.Second).Should(ContainSubstring("OrgUser/grace"))
		})

		It("gives metrics to those who may read them only", func(ctx SpecContext) {
			kubectl(ctx, "create", "serviceaccount", "scraper", "--namespace=team-a")
			kubectl(ctx, "create", "serviceaccount", "stranger", "--namespace=team-a")
			kubectl(ctx, "create", "clusterrolebinding", "scraper", "--clusterrole=rollcall-metrics-reader", "--serviceaccount=team-a:scraper")
			url := "https://" + metrics + "/metrics"
			Expect(status(url, "")()).To(Equal(http.StatusUnauthorized))
			Expect(status(url, token(ctx, "team-a", "stranger"))()).To(Equal(http.StatusForbidden))
			Eventually(status(url, token(ctx, "team-a", "scraper"))).WithTimeout(30 * time.Second).Should(Equal(http.StatusOK))
			Expect(metricsPage(url, token(ctx, "team-a", "scraper"))).To(And(
				ContainSubstring(`rollcall_declared_users{organization="team-a/default"} 3`),
				ContainSubstring(`rollcall_api_requests_total{call="GET /organization/users",code="200",organization="team-a/default"}`),
				// The alert RollcallDown goes by it.
				ContainSubstring(`leader_election_master_status{name="openai.rollcall.dev"} 1`),
			))
		})

		It("lets the manager end in time and without an error, and give up its Lease", func(ctx SpecContext) {
			grace := time.Duration(*deployment(ctx).Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
			session.Terminate().Wait(grace)
			Expect(session).To(gexec.Exit(0))
			Expect(holder(ctx)).To(BeEmpty())

			log := string(session.Out.Contents()) + string(session.Err.Contents())
			Expect(log).NotTo(ContainSubstring("forbidden"), "config/rbac gives too little")
			Expect(log).NotTo(ContainSubstring(organization.AdminKey()))
			Expect(changesLogged(log)).To(ContainElements(
				And(HaveLen(7), HaveKeyWithValue("organization", "team-a/default"), HaveKeyWithValue("verb", "Update"), HaveKeyWithValue("who", "grace.hopper@example.com"),
					HaveKey("userID"), HaveKeyWithValue("what", "technicalLevel"), HaveKey("from"), HaveKeyWithValue("to", "advanced")),
				And(HaveLen(8), HaveKeyWithValue("verb", "Assign"),
					HaveKeyWithValue("what", "roleAssignment"), HaveKeyWithValue("from", ""), HaveKeyWithValue("to", "usage-viewer"), HaveKey("roleID")),
			))
		})
	})
})

func try(ctx context.Context, arguments ...string) (string, error) {
	return plane.Run(ctx, "", arguments...)
}

func kubectl(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	output, err := try(ctx, arguments...)
	Expect(err).NotTo(HaveOccurred(), "kubectl %s: %s", strings.Join(arguments, " "), output)
	return output
}

// may reports whether the user may do this. "can-i" fails for a no too, so its word is what counts.
func may(ctx context.Context, user, verb, resource string, more ...string) bool {
	GinkgoHelper()
	output, _ := try(ctx, append([]string{"auth", "can-i", verb, resource, "--as=" + user}, more...)...)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	answer := lines[len(lines)-1]
	Expect(answer).To(Or(Equal("yes"), HavePrefix("no")), output)
	return answer == "yes"
}

func deployment(ctx context.Context) appsv1.Deployment {
	GinkgoHelper()
	var d appsv1.Deployment
	get(ctx, &d, "deployment", account)
	return d
}

// holder is who holds the Lease.
func holder(ctx context.Context) string {
	GinkgoHelper()
	var leases coordinationv1.LeaseList
	get(ctx, &leases, "leases")
	if len(leases.Items) == 0 || leases.Items[0].Spec.HolderIdentity == nil {
		return ""
	}
	return *leases.Items[0].Spec.HolderIdentity
}

func get(ctx context.Context, into any, arguments ...string) {
	GinkgoHelper()
	text := kubectl(ctx, append([]string{"get", "--output=json", "--namespace=" + namespace}, arguments...)...)
	Expect(json.Unmarshal([]byte(text), into)).To(Succeed())
}

func asJSON(value any) []byte {
	GinkgoHelper()
	text, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return text
}

func token(ctx context.Context, namespace, account string) string {
	GinkgoHelper()
	return strings.TrimSpace(kubectl(ctx, "create", "token", account, "--namespace="+namespace))
}

// status returns a function that gets a URL and returns the status of the answer, or 0 where there is none.
func status(url, token string) func() int {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the manager signs its own
	}}
	return func() int {
		request, err := http.NewRequest(http.MethodGet, url, http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		response, err := client.Do(request)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
}

// freeAddresses are two loopback addresses that nobody listens on. Both are held until both are known: one
// that is let go may be given again.
func freeAddresses() (first, second string) {
	one, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer one.Close()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer other.Close()
	return one.Addr().String(), other.Addr().String()
}
