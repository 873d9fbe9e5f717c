package main

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
)

// newInformer is a cache's NewInformer. controller-runtime indexes each value twice, the second time for lists over all
// namespaces, which rollcall never asks for: with very many objects these were a tenth of the manager's memory.
func newInformer(lists toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	return namespaced{toolscache.NewSharedIndexInformer(lists, object, resync, indexers)}
}

// namespaced has the indexes of each namespace only.
type namespaced struct{ toolscache.SharedIndexInformer }

// ofAllNamespaces is how controller-runtime's values for lists over all namespaces begin. Should it ever write them
// otherwise, they are there again.
const ofAllNamespaces = "__all_namespaces/"

// AddIndexers implements toolscache.SharedIndexInformer.
func (n namespaced) AddIndexers(indexers toolscache.Indexers) error {
	kept := toolscache.Indexers{}
	for name, index := range indexers {
		kept[name] = func(object any) ([]string, error) {
			values, err := index(object)
			return slices.DeleteFunc(values, func(value string) bool { return strings.HasPrefix(value, ofAllNamespaces) }), err
		}
	}
	return n.SharedIndexInformer.AddIndexers(kept)
}
