// Package declared gathers what the manifests in the cluster say about a person: from the cache, and live for what a
// change rests on. It decides nothing; see package plan.
package declared
