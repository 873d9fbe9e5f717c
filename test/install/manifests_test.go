package install_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// theRest is for a cluster that config/default was applied to.
func theRest() {
	It("is dist/install.yaml, which gives the same", func(ctx SpecContext) {
		expectNoChange(ctx, "-f", root+"/dist/install.yaml")
	})

	It("has a network policy that config/default takes in where its line is uncommented", func(ctx SpecContext) {
		config := GinkgoT().TempDir()
		Expect(os.CopyFS(config, os.DirFS(root+"/config"))).To(Succeed())
		file := filepath.Join(config, "default", "kustomization.yaml")
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(text)).To(ContainSubstring("\n# - ../network-policy\n"))
		text = []byte(strings.Replace(string(text), "# - ../network-policy", "- ../network-policy", 1))
		Expect(os.WriteFile(file, text, 0o600)).To(Succeed())
		kubectl(ctx, "apply", "-k", filepath.Join(config, "default"))

		var policy networkingv1.NetworkPolicy
		get(ctx, &policy, "networkpolicy", account)
		pods := deployment(ctx).Spec.Template
		Expect(selects(&policy.Spec.PodSelector, pods.Labels)).To(BeTrue(), "the policy is not for the manager's pods")
		Expect(policy.Spec.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))

		By("leaving open inside what the pod serves, and outside DNS, HTTPS and the API server")
		served := map[string]bool{}
		for _, port := range pods.Spec.Containers[0].Ports {
			served[port.Name] = true
		}
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				Expect(served).To(HaveKey(port.Port.String()))
				delete(served, port.Port.String())
			}
		}
		Expect(served).To(BeEmpty())
		var out []intstr.IntOrString
		for _, rule := range policy.Spec.Egress {
			Expect(rule.Ports).NotTo(BeEmpty(), "a rule without ports opens all")
			for _, port := range rule.Ports {
				out = append(out, *port.Port)
			}
		}
		Expect(out).To(ConsistOf(intstr.FromInt32(53), intstr.FromInt32(53), intstr.FromInt32(443), intstr.FromInt32(6443)))
	})

	It("has a ServiceMonitor for its metrics", func(ctx SpecContext) {
		var monitor struct {
			Kind string `json:"kind"`
			Spec struct {
				Selector  metav1.LabelSelector `json:"selector"`
				Endpoints []struct {
					Port string `json:"port"`
				} `json:"endpoints"`
			} `json:"spec"`
		}
		for manifest := range strings.SplitSeq(kubectl(ctx, "kustomize", root+"/config/prometheus"), "\n---\n") {
			if strings.Contains(manifest, "\nkind: ServiceMonitor\n") {
				Expect(yaml.Unmarshal([]byte(manifest), &monitor)).To(Succeed())
			}
		}
		Expect(monitor.Kind).To(Equal("ServiceMonitor"))
		var service corev1.Service
		get(ctx, &service, "service", account+"-metrics-service")
		Expect(selects(&monitor.Spec.Selector, service.Labels)).To(BeTrue(), "the ServiceMonitor is not for the Service")
		Expect(monitor.Spec.Endpoints).To(HaveLen(1))
		Expect(monitor.Spec.Endpoints[0].Port).To(Equal(service.Spec.Ports[0].Name))
	})

	It("lets a drain take one replica at a time", func(ctx SpecContext) {
		var budget policyv1.PodDisruptionBudget
		get(ctx, &budget, "poddisruptionbudget", account)
		Expect(selects(budget.Spec.Selector, deployment(ctx).Spec.Template.Labels)).To(BeTrue(), "the budget is not for the manager's pods")
		Expect(budget.Spec.MaxUnavailable.IntValue()).To(Equal(1))
	})
}

// expectNoChange applies what is applied already.
func expectNoChange(ctx context.Context, manifests ...string) {
	GinkgoHelper()
	lines := strings.Split(strings.TrimSpace(kubectl(ctx, append([]string{"apply"}, manifests...)...)), "\n")
	Expect(len(lines)).To(BeNumerically(">", 20))
	for _, line := range lines {
		// kubectl sends the selector of a PodDisruptionBudget each time, since its patch strategy is "replace".
		if !strings.HasPrefix(line, "poddisruptionbudget.") {
			Expect(line).To(HaveSuffix(" unchanged"))
		}
	}
	Expect(kubectl(ctx, append([]string{"diff"}, manifests...)...)).To(BeEmpty())
}

func selects(selector *metav1.LabelSelector, of map[string]string) bool {
	GinkgoHelper()
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	Expect(err).NotTo(HaveOccurred())
	return !parsed.Empty() && parsed.Matches(labels.Set(of))
}
