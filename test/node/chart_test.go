package node_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func chartStories() {
	var t team
	var everybody []string
	values := []string{"rollcall", root + "/dist/chart", "--namespace=" + namespace, "--wait", "--timeout=3m",
		"--set=image.tag=dev", "--set=extraArgs={--allow-insecure-base-url}"}

	BeforeAll(func(ctx SpecContext) {
		kubectl(ctx, "create", "namespace", namespace)
		kubectl(ctx, "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
		helm(ctx, append([]string{"install"}, values...)...)
		t = newTeam(ctx, "chart")
		everybody = t.emails(ctx)
	})

	It("makes the organization as it is applied, and undoes what is changed by hand", func(ctx SpecContext) {
		t.declare(ctx, orgUser(grace, "role: owner"), orgUser(alan, "role: reader"))
		t.ready(ctx, "orguser", "--all")
		t.byHand(ctx, "set", grace, "--role=reader")
		t.reread(ctx)
		Eventually(func() string { return t.people(ctx)[grace].Role }).Should(Equal("owner"))
		t.ready(ctx, "orguser", "--all")
		Expect(t.tried(ctx, 0)).To(HaveExactElements(
			"POST /organization/users/user-gracehopper: 200", "POST /organization/users/user-gracehopper: 200"))
	})

	It("is upgraded", func(ctx SpecContext) {
		cluster.load(ctx, upgrade)
		old := managerPods(ctx)
		Expect(old).To(HaveLen(2))
		helm(ctx, append(append([]string{"upgrade"}, values...), "--set=image.tag=new")...)
		Eventually(managerPods).WithContext(ctx).Should(And(HaveLen(2), Not(ContainElement(BeElementOf(old)))))
		Expect(kubectl(ctx, "logs", leader(ctx), "-n", namespace)).To(ContainSubstring(newVersion))
		t.declare(ctx, orgUser(alan, "role: owner"))
		t.ready(ctx, "orguser", "--all")
		Expect(t.people(ctx)[alan].Role).To(Equal("owner"))
	})

	It("removes nobody when it is uninstalled", func(ctx SpecContext) {
		before := t.writes(ctx)
		helm(ctx, "uninstall", "rollcall", "--namespace="+namespace, "--wait", "--timeout=2m")
		Expect(t.in(ctx, "get", "orgusers", "-o", "name")).To(ContainSubstring("alan.turing"), "the chart keeps the kinds")
		Eventually(managerPods).WithContext(ctx).Should(BeEmpty())
		Expect(t.emails(ctx)).To(Equal(everybody))
		Expect(t.writes(ctx)).To(Equal(before))
	})
}

// helm runs the chart's tool, as pinned below hack/tools, in the node's network.
func helm(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	program := run(exec.CommandContext(ctx, root+"/hack/tool.sh", "helm"))
	command := cluster.within(ctx, program, arguments...)
	for _, kind := range []string{"CACHE", "CONFIG", "DATA"} {
		command.Env = append(command.Env, "HELM_"+kind+"_HOME="+filepath.Join(cluster.state, "helm", strings.ToLower(kind)))
	}
	return run(command)
}
