package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	namespace = "rollcall-system"
	manager   = "rollcall-controller-manager"
	lease     = "openai.rollcall.dev"
)

func kubectl(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	output, err := cluster.kubectl(ctx, "", arguments...)
	Expect(err).NotTo(HaveOccurred())
	return output
}

func apply(ctx context.Context, manifests string, arguments ...string) {
	GinkgoHelper()
	_, err := cluster.kubectl(ctx, manifests, append([]string{"apply", "-f", "-"}, arguments...)...)
	Expect(err).NotTo(HaveOccurred())
}

// field is a field of an object in rollcall's namespace, or the error.
func field(ctx context.Context, object, path string) string {
	output, err := cluster.kubectl(ctx, "", "get", object, "-n", namespace, "-o", "jsonpath="+path)
	if err != nil {
		return err.Error()
	}
	return output
}

func rolledOut(ctx context.Context) {
	GinkgoHelper()
	kubectl(ctx, "rollout", "status", "deployment/"+manager, "-n", namespace, "--timeout=120s")
}

// leader is the pod that acts, once there is one.
func leader(ctx context.Context) string {
	GinkgoHelper()
	var pod string
	Eventually(func() string {
		// A holder is the name of its pod, an underscore and a number of its own.
		pod, _, _ = strings.Cut(field(ctx, "lease/"+lease, "{.spec.holderIdentity}"), "_")
		return field(ctx, "pod/"+pod, "{.status.phase}")
	}).Should(Equal("Running"))
	return pod
}

func managerPods(ctx context.Context) []string {
	GinkgoHelper()
	return strings.Fields(kubectl(ctx, "get", "pods", "-n", namespace, "-l", "app.kubernetes.io/name=rollcall",
		"--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}"))
}

// processes are those of a program in a pod, as the machine numbers them.
func processes(ctx context.Context, pod, program string) []int {
	GinkgoHelper()
	uid := field(ctx, "pod/"+pod, "{.metadata.uid}")
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	Expect(err).NotTo(HaveOccurred())
	var found []int
	for _, group := range groups {
		folder := filepath.Dir(group)
		// A process that ends meanwhile cannot be read, and is not one of them.
		of, _ := os.ReadFile(group)
		command, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if strings.Contains(string(of), "pod"+uid) && strings.HasPrefix(string(command), program+"\x00") {
			number, err := strconv.Atoi(filepath.Base(folder))
			Expect(err).NotTo(HaveOccurred())
			found = append(found, number)
		}
	}
	return found
}

// kill is kill -9 of a pod's manager, which is not told of it.
func kill(ctx context.Context, pod string) {
	GinkgoHelper()
	for _, pid := range processes(ctx, pod, "/manager") {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			Expect(err).To(MatchError(syscall.ESRCH))
		}
	}
}

// statusOf is /proc/PID/status.
func statusOf(pid int) map[string]string {
	GinkgoHelper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	Expect(err).NotTo(HaveOccurred())
	status := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(line, ":")
		status[name] = strings.TrimSpace(value)
	}
	return status
}

func fromJSON[T any](text string) T {
	GinkgoHelper()
	var value T
	Expect(json.Unmarshal([]byte(text), &value)).To(Succeed(), text)
	return value
}

// explain adds to a failure's report what one would look at.
func explain(ctx context.Context) {
	for _, arguments := range [][]string{
		{"get", "pods", "-A", "-o", "wide"}, {"get", "rollcall", "-A"}, {"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"logs", "-n", namespace, "-l", "app.kubernetes.io/name=rollcall", "--tail=40", "--prefix"},
	} {
		output, err := cluster.kubectl(ctx, "", arguments...)
		GinkgoWriter.Println("$ kubectl", strings.Join(arguments, " "), "\n", output, err)
	}
	GinkgoWriter.Println(cluster.log())
}
