package members_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"
)

// object is what is read of any of rollcall's objects.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name              string `json:"name"`
		Namespace         string `json:"namespace"`
		Generation        int64  `json:"generation"`
		DeletionTimestamp string `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		Email             string `json:"email"`
		AdminKeySecretRef struct {
			Name string `json:"name"`
			Key  string `json:"key"`
		} `json:"adminKeySecretRef"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration int64 `json:"observedGeneration"`
		LeavingUsers       int   `json:"leavingUsers"`
		Conditions         []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"conditions"`
	} `json:"status"`
}

func (o object) name() string { return strings.ToLower(o.Kind) + "/" + o.Metadata.Name }

func (o object) namespace() string {
	if o.Metadata.Namespace == "" {
		return "default"
	}
	return o.Metadata.Namespace
}

// render returns the objects of a kustomization.
func (c *cluster) render(folder string) []object {
	c.Helper()
	var objects []object
	for text := range strings.SplitSeq(c.kubectl("kustomize", folder), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			c.Fatalf("%s: %v", folder, err)
		}
		objects = append(objects, o)
	}
	return objects
}

// join lets everybody of the objects join the simulated organization, as they have joined the real one.
func (c *cluster) join(objects []object) {
	c.Helper()
	joined := map[string]bool{}
	for _, o := range objects {
		if email := strings.ToLower(o.Spec.Email); email != "" && !joined[email] {
			joined[email] = true
			c.orgsim("add", o.Spec.Email)
		}
	}
}

// apply applies a kustomization. Each Organization of it finds the simulator's key in its Secret, and waits with no
// removal, so that the test sees it.
func (c *cluster) apply(folder string) {
	c.Helper()
	for _, o := range c.render(folder) {
		if o.Kind != "Organization" {
			continue
		}
		if _, err := c.try(filepath.Join(assets(c.T), "kubectl"), "--kubeconfig="+c.kubeconfig, "get", "namespace", o.namespace()); err != nil {
			c.kubectl("create", "namespace", o.namespace())
		}
		secret, key := o.Spec.AdminKeySecretRef.Name, o.Spec.AdminKeySecretRef.Key
		if key == "" {
			key = "api-key"
		}
		if c.kubectl("get", "secret", secret, "--namespace="+o.namespace(), "--ignore-not-found", "-o=name") == "" {
			c.kubectl("create", "secret", "generic", secret, "--namespace="+o.namespace(),
				"--from-literal="+key+"="+adminKey, "--from-literal=base-url="+c.simulator+"/v1")
		}
	}
	c.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize="+folder)
	for _, o := range c.render(folder) {
		if o.Kind == "Organization" {
			c.kubectl("patch", o.name(), "--namespace="+o.namespace(), "--type=merge", `--patch={"spec":{"guard":{"removalDelay":"0s"}}}`)
		}
	}
}

// prune deletes what is declared no more, as Flux and Argo CD do.
func (c *cluster) prune(before, after []object) {
	c.Helper()
	for _, gone := range before {
		if !slices.ContainsFunc(after, func(o object) bool { return o.name() == gone.name() && o.namespace() == gone.namespace() }) {
			c.kubectl("delete", gone.name(), "--namespace="+gone.namespace(), "--wait=false")
		}
	}
}

// settle waits until rollcall has done what it can, and fails the test if that is not all.
func (c *cluster) settle() {
	c.Helper()
	var unmet []string
	err := wait.PollUntilContextTimeout(c.Context(), 200*time.Millisecond, 2*time.Minute, true, func(context.Context) (bool, error) {
		var busy bool
		busy, unmet = c.look()
		return !busy, nil
	})
	if err != nil || len(unmet) > 0 {
		c.Fatalf("not everything came true:\n%s", strings.Join(unmet, "\n"))
	}
}

// look says what has not come true yet, and whether rollcall is busy with any of it.
func (c *cluster) look() (busy bool, unmet []string) {
	c.Helper()
	var list struct {
		Items []object `json:"items"`
	}
	if err := json.Unmarshal([]byte(c.kubectl("get", "rollcall", "--all-namespaces", "-o=json")), &list); err != nil {
		c.Fatal(err)
	}
	for _, o := range list.Items {
		ready, waits, why := false, false, "not looked at yet"
		for _, condition := range o.Status.Conditions {
			switch {
			case o.Status.ObservedGeneration != o.Metadata.Generation:
			case condition.Type == "Ready":
				ready = condition.Status == "True"
				waits = waits || condition.Reason == "Held"
				why = condition.Reason + ": " + condition.Message
			case condition.Type == "Stalled":
				waits = waits || condition.Status == "True"
			}
		}
		leaving := o.Status.LeavingUsers
		if ready && o.Metadata.DeletionTimestamp == "" && leaving == 0 {
			continue
		}
		if ready && leaving > 0 {
			why = fmt.Sprintf("%d people are to leave", leaving)
		}
		busy = busy || !waits
		unmet = append(unmet, fmt.Sprintf("  %s in %s: %s", o.name(), o.namespace(), why))
	}
	return busy, unmet
}
