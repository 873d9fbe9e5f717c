package link

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// Pair is what an organization is: the canonical address of an API, and the ID that this address gave to a key.
type Pair struct {
	Address, ID string
}

// Unnamed is the ID of an object's organization to which the address gives none: nothing is shared then.
func Unnamed(object types.NamespacedName) string { return openai.Unnamed + object.String() }

// IsGiven says whether an ID is one that an address gave.
func IsGiven(id string) bool { return id != "" && !strings.HasPrefix(id, openai.Unnamed) }

// PairOf is what the status of an object says it stands for.
func PairOf(org *v1alpha1.Organization) Pair {
	return Pair{org.Status.BaseURL, org.Status.OrganizationID}
}
