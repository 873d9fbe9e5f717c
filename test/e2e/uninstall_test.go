package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// uninstallStories take rollcall down in orders that nobody would choose.
func uninstallStories() {
	for seed := range uint64(2) {
		It(fmt.Sprintf("removes nobody when config/default is deleted object by object in any order, and lets go what hangs when it is back (order %d)", seed), func(ctx SpecContext) {
			install(ctx)
			running := startManager(ctx)
			t := newTeam(ctx, fmt.Sprintf("order-%d", seed))
			t.declare(ctx, "grace")
			t.bind(ctx, "alan")
			t.ready(ctx, "orguser/grace", "orgurb/viewers")

			objects := strings.Split(strings.TrimSpace(kubectl(ctx, "get", "-k", root+"/config/default", "-o",
				`jsonpath={range .items[*]}{.kind} {.metadata.name} --namespace={.metadata.namespace}{"\n"}{end}`)), "\n")
			rand.New(rand.NewPCG(seed, seed)).Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
			for _, object := range objects {
				kubectl(ctx, append([]string{"delete", "--wait=false", "--ignore-not-found"}, strings.Fields(object)...)...)
			}
			kubectl(ctx, "wait", "--for=delete", "namespace/"+namespace, "--timeout=60s")
			running.kill()

			By("bringing it back")
			kubectl(ctx, "apply", "-k", root+"/config/default")
			startManager(ctx)
			Eventually(func() string {
				return kubectl(ctx, "get", "crd", "-o", "jsonpath={.items[*].metadata.deletionTimestamp}")
			}).WithTimeout(90*time.Second).Should(BeEmpty(), "no kind waits for its objects any more")
			Expect(t.people()).To(HaveLen(5))
			Expect(t.viewers()).To(ConsistOf("alan"))
			Expect(t.tried()).To(ConsistOf("POST /organization/users/user-alan/roles"), "nobody and nothing was taken away")
		})
	}
}

// install applies config/default and waits until the kinds are there.
func install(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "apply", "-k", root+"/config/default")
	kubectl(ctx, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
}
