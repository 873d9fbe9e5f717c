// Package export writes the manifests that declare an organization as it is, to start from.
package export

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai"
)

// manifest is an object without its status.
type manifest struct {
	metav1.TypeMeta `json:",inline"`

	Metadata metadata `json:"metadata"`
	Spec     any      `json:"spec"`
}

type metadata struct {
	Name string `json:"name"`
}

// People are those of the users whom manifests declare, sorted by email: neither service accounts nor the
// default user.
func People(users []openai.User) []openai.User {
	people := slices.DeleteFunc(slices.Clone(users), func(user openai.User) bool { return user.IsServiceAccount || user.IsDefault })
	slices.SortFunc(people, func(a, b openai.User) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Email), strings.ToLower(b.Email)), cmp.Compare(a.ID, b.ID))
	})
	return people
}

// Write writes an OrgUser for each of the people and an OrgUserRoleBinding for each role that is assigned to
// them directly and is not predefined. Deleting what is written takes nothing away: its policy is Retain.
func Write(to io.Writer, people []openai.User, assignments map[string][]openai.RoleAssignment) error {
	names := namesOf(people)
	var manifests []manifest
	for _, user := range people {
		manifests = append(manifests, of("OrgUser", names[user.ID], orgUser(people, user)))
	}
	for _, m := range append(manifests, bindings(people, names, assignments)...) {
		text, err := yaml.Marshal(m)
		if err != nil {
			return fmt.Errorf("%s %s: %w", m.Kind, m.Metadata.Name, err)
		}
		if _, err := fmt.Fprintf(to, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}

func of(kind, name string, spec any) manifest {
	return manifest{metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}, metadata{name}, spec}
}

// orgUser declares the user by email, or by ID where nobody or somebody else too has it.
func orgUser(people []openai.User, user openai.User) v1alpha1.OrgUserSpec {
	spec := v1alpha1.OrgUserSpec{Email: user.Email, Role: v1alpha1.UserRole(user.Role), DeletionPolicy: v1alpha1.DeletionPolicyRetain}
	shared := slices.ContainsFunc(people, func(other openai.User) bool {
		return other.ID != user.ID && strings.EqualFold(other.Email, user.Email)
	})
	if user.Email == "" || shared {
		spec.Email, spec.UserID = "", user.ID
	}
	return spec
}

// bindings gather who has a role. A role whose name another one has too is named by its ID.
func bindings(people []openai.User, names map[string]string, assignments map[string][]openai.RoleAssignment) []manifest {
	roles := map[string]string{} // names by ID
	holders := map[string][]v1alpha1.Subject{}
	for _, user := range people {
		for _, assigned := range assignments[user.ID] {
			if assigned.Predefined || assigned.Inherited {
				continue
			}
			roles[assigned.RoleID] = assigned.RoleName
			holders[assigned.RoleID] = append(holders[assigned.RoleID], v1alpha1.Subject{OrgUser: names[user.ID]})
		}
	}
	ids := slices.SortedFunc(maps.Keys(roles), func(a, b string) int { return cmp.Or(cmp.Compare(roles[a], roles[b]), cmp.Compare(a, b)) })
	taken := map[string]bool{}
	var manifests []manifest
	for _, id := range ids {
		ref := v1alpha1.RoleReference{Name: roles[id]}
		if slices.ContainsFunc(ids, func(other string) bool { return other != id && roles[other] == roles[id] }) {
			ref = v1alpha1.RoleReference{ID: id}
		}
		manifests = append(manifests, of("OrgUserRoleBinding", unique(taken, roles[id]), v1alpha1.OrgUserRoleBindingSpec{
			RoleRef: ref, Subjects: holders[id], DeletionPolicy: v1alpha1.DeletionPolicyRetain,
		}))
	}
	return manifests
}

// namesOf gives each user, by ID, a name for their object: the part of the email before the @.
func namesOf(people []openai.User) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for _, user := range people {
		local, _, _ := strings.Cut(user.Email, "@")
		names[user.ID] = unique(taken, cmp.Or(local, user.ID))
	}
	return names
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// longestName leaves room for a number within the 63 characters that every use of a name allows.
const longestName = 57

// unique makes a name for an object of a text, and numbers it if it is taken.
func unique(taken map[string]bool, text string) string {
	name := notInNames.ReplaceAllString(strings.ToLower(text), "-")
	if len(name) > longestName {
		name = name[:longestName]
	}
	name = cmp.Or(strings.Trim(name, "-"), "unnamed")
	for base, number := name, 2; taken[name]; number++ {
		name = fmt.Sprintf("%s-%d", base, number)
	}
	taken[name] = true
	return name
}
