package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const (
	orgUsers      = "orgusers"
	organizations = "organizations"
	bindings      = "orguserrolebindings"
	// persona is what every other OrgUser declares and no member has: that is the change that they need.
	persona = "backend"
	// role is what all members have and all OrgUsers declare. Changes of owners are left out: rollcall makes
	// them one at a time on purpose.
	role = "reader"
)

// nameOf is the name of the OrgUser of the i-th member, from 0, and that member's ID, as SeedMany has it.
func nameOf(i int) string { return fmt.Sprintf("user-%06d", i+1) }

func emailOf(i int) string { return nameOf(i) + "@example.com" }

// differs says whether the i-th OrgUser declares something that its member does not have.
type differs func(i int) bool

// everyOther is the mass change; none is an organization that is in sync.
func everyOther(i int) bool { return i%2 == 1 }
func none(int) bool         { return false }

// among is how many of so many OrgUsers need a change.
func (d differs) among(users int) int {
	count := 0
	for i := range users {
		if d(i) {
			count++
		}
	}
	return count
}

type object = map[string]any

func orgUserManifest(i int, differs bool) object {
	spec := object{"email": emailOf(i), "role": role}
	if differs {
		spec["developerPersona"] = persona
	}
	return object{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "OrgUser",
		"metadata": object{"name": nameOf(i)}, "spec": spec,
	}
}

// bindingManifest gives boundRole to so many users.
func bindingManifest(users int) object {
	subjects := make([]object, users)
	for i := range users {
		subjects[i] = object{"orgUser": nameOf(i)}
	}
	return object{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "OrgUserRoleBinding",
		"metadata": object{"name": boundRole + "s"},
		"spec":     object{"roleRef": object{"name": boundRole}, "subjects": subjects},
	}
}

// organizationManifest has the latency bound the speed, not the rate limit: with the floor's 20 workers and 50 ms there
// are at most 400 calls a second, and the limit is 1,667. What is given beyond goes into its spec.
func organizationManifest(more object) object {
	spec := object{"adminKeySecretRef": object{"name": "openai"}, "requestsPerMinute": requestsPerMinute}
	maps.Copy(spec, more)
	return object{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Organization",
		"metadata": object{"name": "default"}, "spec": spec,
	}
}

const requestsPerMinute = 100_000

func secretManifest(sim *openaitest.Server) object {
	return object{
		"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": "openai"},
		"stringData": object{"api-key": sim.AdminKey(), "base-url": sim.URL()},
	}
}

func namespaceManifest(name string) object {
	return object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}}
}

// What the floor writes: patches and events of the size that the manager's have.

func finalizerPatch() object {
	return object{"metadata": object{"finalizers": []string{v1alpha1.Finalizer}}}
}

func statusPatch(i int, differs bool) object {
	status := v1alpha1.OrgUserStatus{
		ObservedGeneration: 1, UserID: nameOf(i), Name: fmt.Sprintf("User %06d", i+1), Email: emailOf(i), Role: role,
		AddedAt: new(metav1.Now()),
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInSync, ObservedGeneration: 1,
			LastTransitionTime: metav1.Now(), Message: "the organization has this user as declared",
		}},
	}
	if differs {
		status.DeveloperPersona = persona
	}
	return object{"status": status}
}

func eventManifest(namespace string, i int) object {
	return object{
		"apiVersion": "events.k8s.io/v1", "kind": "Event",
		"metadata":  object{"name": nameOf(i) + ".changed", "namespace": namespace},
		"eventTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		"action":    "Update", "reason": "Updated", "type": "Normal",
		"note":                `set developer_persona of ` + emailOf(i) + ` to "` + persona + `" (was "")`,
		"reportingController": "rollcall", "reportingInstance": "rollcall-bench",
		"regarding": object{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "OrgUser", "name": nameOf(i), "namespace": namespace,
		},
	}
}

func personaPatch(value string) object {
	return object{"spec": object{"developerPersona": value}}
}

func intervalPatch(interval time.Duration) object {
	return object{"spec": object{"resyncInterval": interval.String()}}
}

func budgetPatch(perMinute int) object {
	return object{"spec": object{"requestsPerMinute": perMinute}}
}

func encode(content any) []byte {
	encoded, err := json.Marshal(content)
	if err != nil {
		panic(err) // maps, strings and API types, all of this file
	}
	return encoded
}
