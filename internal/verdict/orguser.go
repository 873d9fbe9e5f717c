package verdict

import (
	"fmt"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/plan"
)

// OrgUser is what is said of an OrgUser on a fact, with the steps that it calls for.
func OrgUser(f plan.Fact, who string, organization *v1alpha1.Organization, steps []plan.Step) Verdict {
	return ofFact(f, who, organization, steps)
}

// TooManyLeavers says that an OrgUser waits with its deletion, since its Organization can remember no more leavers.
func TooManyLeavers(who string, most int) Verdict {
	return Verdict{Waiting, v1alpha1.ReasonProgressing,
		fmt.Sprintf("the removal of %s waits: status.leaving of the Organization has %d people, and takes no more until some of them are out", who, most)}
}

// RemovalWaits is what is said of an OrgUser that is being deleted and cannot go yet.
func RemovalWaits(v Verdict, who string) Verdict {
	if v.State != Keep {
		v.Message = fmt.Sprintf("the removal of %s waits: %s", who, v.Message)
	}
	return WithRetain(v, "the person in the organization")
}
