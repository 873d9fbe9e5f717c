package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var _ = Describe("A release", Ordered, func() {
	var (
		organization *openaitest.Server
		running      *gexec.Session
		people       []string
		objects      []string
	)
	columns := func(ctx SpecContext) string {
		return kubectl(ctx, "get", "orgusers", "-n", "team-a")
	}

	BeforeAll(func(ctx SpecContext) {
		startCluster(ctx)
		organization = newTeam(ctx, "team-a")
		people = emails(organization)
	})

	It("is installed, and its manager keeps an organization with the rights that it got", func(ctx SpecContext) {
		Expect(helmDoes(ctx, "install", release, chart)).To(And(ContainSubstring("STATUS: deployed"), ContainSubstring("keeps all namespaces")))
		running = start(ctx, account)
		declare(ctx, "team-a")
		ready(ctx, "team-a", "installed")
		objects = names(ctx)
		Expect(objects).To(HaveLen(5))
		Expect(organization.Mutations()).NotTo(BeEmpty())
		organization.ResetJournal()
	})

	It("is upgraded, with its kinds, while the objects stay ready and nothing is written outside", func(ctx SpecContext) {
		Expect(columns(ctx)).NotTo(ContainSubstring("NEWER"))
		helmDoes(ctx, "upgrade", release, newerChart(), "--set=logLevel=debug", "--set=replicas=3")
		Eventually(columns).WithContext(ctx).Should(ContainSubstring("NEWER"))
		Expect(kubectl(ctx, "get", "deployment", account, "-n", namespace, "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].args}")).
			To(And(HavePrefix("3 "), ContainSubstring("--log-level=debug")))

		By("starting the new replica before the old one ends, as a Deployment does")
		old := running
		running = start(ctx, account)
		old.Terminate().Wait("50s")
		ready(ctx, "team-a", "upgraded")
		Expect(old).To(gexec.Exit(0))
		Expect(organization.Mutations()).To(BeEmpty())
		Expect(names(ctx)).To(Equal(objects))
	})

	It("is rolled back, with its kinds", func(ctx SpecContext) {
		helmDoes(ctx, "rollback", release, "1")
		Eventually(columns).WithContext(ctx).ShouldNot(ContainSubstring("NEWER"))
		Expect(kubectl(ctx, "get", "deployment", account, "-n", namespace, "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].args}")).
			To(And(HavePrefix("2 "), Not(ContainSubstring("--log-level"))))
		running.Terminate().Wait("50s")
		running = start(ctx, account)
		ready(ctx, "team-a", "rolled-back")
		Expect(organization.Mutations()).To(BeEmpty())
		Expect(names(ctx)).To(Equal(objects))
	})

	It("is uninstalled while its manager runs; kinds, objects and people stay", func(ctx SpecContext) {
		Expect(helmDoes(ctx, "uninstall", release)).To(ContainSubstring("kept due to the resource policy"))
		Expect(mayRead(ctx, account, "team-a")).To(BeFalse(), "the rights are there still")
		running.Terminate().Wait("50s")
		Expect(kubectl(ctx, "get", "deployments,clusterroles,clusterrolebindings,roles,rolebindings,services,serviceaccounts,poddisruptionbudgets",
			"--all-namespaces", "--selector=app.kubernetes.io/instance="+release, "-o", "name")).To(BeEmpty())
		Expect(strings.Fields(kubectl(ctx, "get", "crds", "-o", "name"))).To(HaveLen(3))
		Expect(names(ctx)).To(Equal(objects))
		Expect(emails(organization)).To(ConsistOf(people))
		Expect(organization.Mutations()).To(BeEmpty())
	})

	It("is installed again and goes on, with what was deleted in between", func(ctx SpecContext) {
		kubectl(ctx, "delete", "orguser/grace", "-n", "team-a", "--wait=false")
		Expect(names(ctx)).To(Equal(objects), "the object waits for the manager")

		helmDoes(ctx, "install", release, chart)
		running = start(ctx, account)
		// The manager before could not give its Lease back, since its rights went first: it lasts for a minute.
		kubectl(ctx, "wait", "--for=delete", "orguser/grace", "-n", "team-a", "--timeout=150s")
		Eventually(func() []string { return emails(organization) }).ShouldNot(ContainElement("grace.hopper@example.com"), "her object was deleted in a healthy namespace")
		Expect(emails(organization)).To(HaveLen(len(people) - 1))
		people = emails(organization)
		organization.ResetJournal()
	})

	It("is uninstalled, the kinds are deleted, and it is installed again: nobody goes by that", func(ctx SpecContext) {
		helmDoes(ctx, "uninstall", release)
		running.Terminate().Wait("50s")
		kubectl(ctx, "delete", "crd", "organizations.openai.rollcall.dev", "orgusers.openai.rollcall.dev", "orguserrolebindings.openai.rollcall.dev", "--wait=false")
		Expect(kubectl(ctx, "get", "orgusers,orguserrolebindings", "-n", "team-a", "-o", "name")).NotTo(BeEmpty(), "the objects wait for the manager with their finalizers")

		By("installing again, while the kinds are going")
		helmDoes(ctx, "install", release, chart)
		running = start(ctx, account)
		kubectl(ctx, "wait", "--for=delete", "crd/orgusers.openai.rollcall.dev", "crd/orguserrolebindings.openai.rollcall.dev", "--timeout=150s")
		Expect(emails(organization)).To(ConsistOf(people))
		Expect(organization.Mutations()).To(BeEmpty())

		By("bringing the kinds back")
		running.Terminate().Wait("50s")
		helmDoes(ctx, "upgrade", release, chart)
		kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=150s")
		running = start(ctx, account)
		kubectl(ctx, "delete", "orgusers,orguserrolebindings,organizations", "--all", "-n", "team-a")
		kubectl(ctx, "apply", "-k", root+"/config/samples", "-n", "team-a")
		kubectl(ctx, "wait", "--for=condition=Ready", "-n", "team-a", "--timeout=150s", "orguser/ada", "orguser/alan")
		Expect(emails(organization)).To(ConsistOf(people))
	})
})

var _ = Describe("A release for one team", Ordered, func() {
	const name = "rollcall-b"
	var running *gexec.Session

	BeforeAll(func(ctx SpecContext) {
		startCluster(ctx)
		newTeam(ctx, "team-a")
		newTeam(ctx, "team-b")
	})

	It("has rights in the team's namespace, and in no other", func(ctx SpecContext) {
		helmDoes(ctx, "install", name, chart, "--set=watchNamespaces={team-b}")
		Expect(mayRead(ctx, name+"-controller-manager", "team-b")).To(BeTrue())
		Expect(mayRead(ctx, name+"-controller-manager", "team-a")).To(BeFalse())
		Expect(mayRead(ctx, name+"-controller-manager", namespace)).To(BeFalse())
	})

	It("keeps that namespace with them, and lets the other be", func(ctx SpecContext) {
		running = start(ctx, name+"-controller-manager")
		declare(ctx, "team-a")
		declare(ctx, "team-b")
		ready(ctx, "team-b", "installed")
		Expect(kubectl(ctx, "get", "oaiorg/default", "-n", "team-a", "-o", "jsonpath={.status.conditions}")).To(BeEmpty())
	})

	It("removes who is deleted, for which it looks at the namespace and the kind", func(ctx SpecContext) {
		kubectl(ctx, "delete", "orguser/grace", "-n", "team-b", "--timeout=150s")
		Eventually(func() string { return kubectl(ctx, "events", "--for=oaiorg/default", "-n", "team-b") }).Should(ContainSubstring("removed grace.hopper@example.com"))
		running.Terminate().Wait("50s")
		Expect(running).To(gexec.Exit(0))
		log := string(running.Out.Contents()) + string(running.Err.Contents())
		Expect(log).To(ContainSubstring("rollcall starts"))
		Expect(log).NotTo(ContainSubstring("forbidden"), "the Role gives too little")
	})

	It("lets another release in, which has the kinds already", func(ctx SpecContext) {
		Expect(helmFails(ctx, "install", release, chart)).To(ContainSubstring("invalid ownership metadata"))
		helmDoes(ctx, "install", release, chart, "--set=watchNamespaces={team-a}", "--set=crds.enabled=false", "--set=userRoles.create=false")
		Expect(mayRead(ctx, account, "team-a")).To(BeTrue())
		Expect(mayRead(ctx, account, "team-b")).To(BeFalse())
	})
})

var _ = Describe("A cluster with dist/install.yaml", Ordered, func() {
	BeforeAll(func(ctx SpecContext) { startCluster(ctx) })

	It("goes over to the chart, and keeps its objects", func(ctx SpecContext) {
		kubectl(ctx, "apply", "-f", root+"/dist/install.yaml")
		kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=150s")
		newTeam(ctx, "team-a")
		declare(ctx, "team-a")
		before := names(ctx)

		kubectl(ctx, "delete", "deployment/"+account, "-n", namespace)
		helmDoes(ctx, "install", release, chart, "--take-ownership", "--force-conflicts")
		start(ctx, account)
		ready(ctx, "team-a", "moved")
		Expect(names(ctx)).To(Equal(before))
	})

	It("admits the pods of the chart where the Pod Security level restricted is enforced", func(ctx SpecContext) {
		files, err := filepath.Glob("testdata/values/*.yaml")
		Expect(err).NotTo(HaveOccurred())
		for _, values := range append(files, chart+"/values.yaml") {
			By(values)
			rendered, err := helm(ctx, plane.Folder, "template", release, chart, "--values="+values, "--namespace="+namespace, "--show-only=templates/deployment.yaml")
			Expect(err).NotTo(HaveOccurred())
			var deployment appsv1.Deployment
			Expect(yaml.UnmarshalStrict([]byte(rendered), &deployment)).To(Succeed())
			pod := corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Name: "tried", Namespace: namespace, Labels: deployment.Spec.Template.Labels},
				Spec:       deployment.Spec.Template.Spec,
			}
			pod.Spec.ServiceAccountName = account // the one that is there
			tried := func() (string, error) {
				content, err := json.Marshal(pod)
				Expect(err).NotTo(HaveOccurred())
				file := filepath.Join(plane.Folder, "pod.json")
				Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
				return plane.Run(ctx, "", "create", "--dry-run=server", "-f", file)
			}
			output, err := tried()
			Expect(err).NotTo(HaveOccurred())
			Expect(output).NotTo(ContainSubstring("Warning"))

			pod.Spec.Containers[0].SecurityContext = nil
			_, err = tried()
			Expect(err).To(MatchError(ContainSubstring(`violates PodSecurity "restricted`)), "the level is not enforced, so the check above says nothing")
		}
	})
})
