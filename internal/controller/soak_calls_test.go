package controller_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// manifest is what an OrgUser said of a person, and while it was there.
type manifest struct {
	spell

	email string
	spec  v1alpha1.OrgUserSpec
}

// declare notes what a manifest says from before the change that makes it say so; what it said before ends after it.
func (r *record) declare(email string, spec v1alpha1.OrgUserSpec, change func()) {
	from := time.Now()
	change()
	r.undeclare(email)
	r.manifests = append(r.manifests, manifest{spell: spell{from: from}, email: email, spec: spec})
}

// undeclare notes that the manifest of a person says nothing any more.
func (r *record) undeclare(email string) {
	for i := range r.manifests {
		if m := &r.manifests[i]; m.email == email && m.until.IsZero() {
			m.until = time.Now()
		}
	}
}

// said has what the manifests said of a person at any time in the lag before a moment.
func (r *record) said(email string, at time.Time) []v1alpha1.OrgUserSpec {
	var specs []v1alpha1.OrgUserSpec
	for _, m := range r.manifests {
		if m.email == email && m.from.Before(at) && (m.until.IsZero() || m.until.After(at.Add(-lag))) {
			specs = append(specs, m.spec)
		}
	}
	return specs
}

// wasNamed says whether a binding named the person for the role at any time in the lag before a moment.
func (r *record) wasNamed(role, email string, at time.Time) bool {
	for i, b := range r.bound {
		over := i+1 < len(r.bound) && r.bound[i+1].since.Before(at.Add(-lag))
		if !over && b.since.Before(at) && b.pairs[role+" "+email] {
			return true
		}
	}
	return false
}

// expectEachCallWanted: what is given was declared a moment ago, of the person whom the manifests name, and they did not
// have it.
func (s *soak) expectEachCallWanted(journal []openaitest.Call) {
	GinkgoHelper()
	for _, call := range journal {
		if call.Email == "" || s.handBetween(openaitest.Call{Time: call.Time.Add(-lag)}, call) {
			continue // no look can know what somebody does by hand after it, or that they left
		}
		switch call.Method + " " + call.Endpoint {
		case "POST /organization/users/{id}":
			Expect(slices.ContainsFunc(s.said(call.Email, call.Time), func(spec v1alpha1.OrgUserSpec) bool { return asks(spec, call.Body) })).
				To(BeTrue(), "nobody asked for %s of %s at %s\n%s", call.Body, call.Email, clock(call.Time), s.tale())
		case "POST /organization/users/{id}/roles":
			role := s.roleIn(call.Body)
			Expect(s.wasNamed(role, call.Email, call.Time)).To(BeTrue(),
				"%s was given role %s at %s, which no binding gives them\n%s", call.Email, role, clock(call.Time), s.tale())
			if call.Status == http.StatusOK && !call.Changed {
				Expect(s.handed[role+" "+call.Email]).To(BeTrue(), "%s was given role %s at %s, which they had\n%s", call.Email, role, clock(call.Time), s.tale())
			}
		}
	}
}

// asks says whether a manifest asks for all that a call sets.
func asks(spec v1alpha1.OrgUserSpec, body string) bool {
	GinkgoHelper()
	var sent struct {
		Role           *string `json:"role"`
		TechnicalLevel *string `json:"technical_level"`
	}
	Expect(json.Unmarshal([]byte(body), &sent)).To(Succeed())
	if sent.Role != nil && *sent.Role != string(spec.Role) {
		return false
	}
	if sent.TechnicalLevel != nil {
		return spec.TechnicalLevel != nil && *spec.TechnicalLevel == *sent.TechnicalLevel
	}
	return true // null, or not sent
}

// roleIn is the name of the role that the body of an assignment names.
func (s *soak) roleIn(body string) string {
	GinkgoHelper()
	var sent struct {
		RoleID string `json:"role_id"`
	}
	Expect(json.Unmarshal([]byte(body), &sent)).To(Succeed())
	return s.roleName(sent.RoleID)
}
