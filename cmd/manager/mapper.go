package main

import (
	"net/http"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// mapper keeps which resource a kind is. controller-runtime asks for it at each read of the cache with
// --watch-namespaces, and finding it anew was a fifth of all the CPU that an adoption takes.
type mapper struct {
	meta.RESTMapper

	found sync.Map // *meta.RESTMapping by what was asked
}

// newMapper is a manager's MapperProvider.
func newMapper(config *rest.Config, client *http.Client) (meta.RESTMapper, error) {
	found, err := apiutil.NewDynamicRESTMapper(config, client)
	return &mapper{RESTMapper: found}, err
}

// RESTMapping implements meta.RESTMapper. A kind that is not there may come, so errors are not kept.
func (m *mapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	asked := kind.String() + " " + strings.Join(versions, " ")
	if known, ok := m.found.Load(asked); ok {
		if mapping, ok := known.(*meta.RESTMapping); ok {
			return mapping, nil
		}
	}
	mapping, err := m.RESTMapper.RESTMapping(kind, versions...)
	if err == nil {
		m.found.Store(asked, mapping)
	}
	return mapping, err
}
