package main

import (
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

const (
	orgUsers      = "orgusers"
	organizations = "organizations"
	// persona is what every other OrgUser declares and no member has: that is the change that they need.
	persona = "backend"
	// role is what all members have and all OrgUsers declare. Changes of owners are left out: rollcall makes
	// them one at a time on purpose.
	role = "reader"
)

// nameOf is the name of the OrgUser of the i-th member, from 0, and that member's ID, as SeedMany has it.
func nameOf(i int) string { return fmt.Sprintf("user-%06d", i+1) }

func emailOf(i int) string { return nameOf(i) + "@example.com" }

// needsChange says whether the i-th OrgUser declares something that its member does not have.
func needsChange(i int) bool { return i%2 == 1 }

// changesAmong is how many of so many OrgUsers need a change.
func changesAmong(users int) int { return users / 2 }

type object = map[string]any

func orgUserManifest(i int) object {
	spec := object{"email": emailOf(i), "role": role}
	if needsChange(i) {
		spec["developerPersona"] = persona
	}
	return object{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "OrgUser",
		"metadata": object{"name": nameOf(i)}, "spec": spec,
	}
}

// organizationManifest has the latency bound the speed, not the rate limit: with 20 workers and 50 ms there
// are at most 400 calls a second, and the limit is 1,667.
func organizationManifest() object {
	return object{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Organization",
		"metadata": object{"name": "default"},
		"spec": object{
			"adminKeySecretRef": object{"name": "openai"},
			"requestsPerMinute": requestsPerMinute,
		},
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

func statusPatch(i int) object {
	status := v1alpha1.OrgUserStatus{
		ObservedGeneration: 1, UserID: nameOf(i), Name: fmt.Sprintf("User %06d", i+1), Email: emailOf(i), Role: role,
		AddedAt: new(metav1.Now()),
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInSync, ObservedGeneration: 1,
			LastTransitionTime: metav1.Now(), Message: "the organization has this user as declared",
		}},
	}
	if needsChange(i) {
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

func encode(content any) []byte {
	encoded, err := json.Marshal(content)
	if err != nil {
		panic(err) // maps, strings and API types, all of this file
	}
	return encoded
}
