package main

import "strings"

// object is a manifest, or a part of one.
type object map[string]any

// prefix of the names in config/default. What stands for it in a manifest becomes the release's name.
const (
	prefix   = "rollcall-"
	fullname = "RELEASE-NAME-"
	release  = "RELEASE-NAMESPACE"
	watched  = "WATCHED-NAMESPACE"
)

func (o object) name() string {
	name, _ := o.in("metadata")["name"].(string)
	return strings.TrimPrefix(name, prefix)
}

// in returns the part of an object below some keys, and makes it where there is none.
func (o object) in(keys ...string) object {
	for _, key := range keys {
		below, ok := o[key].(map[string]any)
		if !ok {
			below = map[string]any{}
			o[key] = below
		}
		o = below
	}
	return o
}

// list returns the parts of a list.
func (o object) list(key string) []object {
	items, _ := o[key].([]any)
	var parts []object
	for _, item := range items {
		if part, ok := item.(map[string]any); ok {
			parts = append(parts, part)
		}
	}
	return parts
}

// mergeLabels lets labels by which pods are selected tell one release from another.
func (o object) mergeLabels() {
	delete(o, "app.kubernetes.io/name")
	o.merge(`{{- include "rollcall.selectorLabels" $ | nindent INDENT }}`)
}

// text is the object as a template: named after the release, in its namespace, with the chart's labels.
func (o object) text() string {
	metadata := o.in("metadata")
	if o["kind"] != "CustomResourceDefinition" {
		metadata["name"] = fullname + o.name()
	}
	if namespace, ok := metadata["namespace"]; ok && namespace != watched {
		metadata["namespace"] = release
	}
	labels := metadata.in("labels")
	delete(labels, "app.kubernetes.io/name")
	delete(labels, "app.kubernetes.io/managed-by")
	labels.merge(`{{- include "rollcall.labels" $ | nindent INDENT }}`)
	return asTemplate(o)
}
