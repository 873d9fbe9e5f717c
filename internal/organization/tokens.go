package organization

import (
	"maps"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/pending"
)

// wanted are the tokens of a turn for those who wait now: of as many people as go at once within the budget.
func (o *Organization) wanted(l pending.Lane) budget.Calls {
	waiting := o.pending.Waiting(l, pending.PeopleATurn)
	if len(waiting) == 0 {
		return nil
	}
	calls := budget.Calls{openai.EndpointListUsers: 1}
	// Half a burst of debt: with less, the looks of a mass change at 150 a minute cost a quarter of what it changes.
	most := o.limiter.Burst() * 3 / 2
	learnt := o.limiter.Learnt()
	for i, c := range waiting {
		costs := c.Costs()
		if i > 0 && (i >= callersATurn || calls.Total()+costs.Total() > most || anyIn(costs, learnt)) {
			break
		}
		add(calls, costs)
	}
	return calls
}

func add(calls, more budget.Calls) {
	for endpoint, count := range more {
		calls[endpoint] += count
	}
}

func anyIn(calls budget.Calls, learnt map[budget.Endpoint]float64) bool {
	for endpoint := range calls {
		if _, ok := learnt[endpoint]; ok {
			return true
		}
	}
	return false
}

// pay takes the tokens of calls from those of the turn, and what is missing from the budget, if it is there.
func (t *turn) pay(calls budget.Calls) bool {
	t.paying.Lock()
	defer t.paying.Unlock()
	missing := budget.Calls{}
	for endpoint, count := range calls {
		if short := count - t.tokens[endpoint]; short > 0 {
			missing[endpoint] = short
		}
	}
	if len(missing) > 0 && !t.limiter.TryTake(missing) {
		return false
	}
	for endpoint, count := range calls {
		t.tokens[endpoint] = max(0, t.tokens[endpoint]-count)
	}
	return true
}

// spend uses up the token of one call: of those that were taken for the person, else one more of the budget, if it is there.
func (t *turn) spend(p *passenger, endpoint budget.Endpoint) bool {
	t.paying.Lock()
	if p.paid[endpoint] > 0 {
		p.paid[endpoint]--
		t.paying.Unlock()
		return true
	}
	t.paying.Unlock()
	return t.pay(budget.Calls{endpoint: 1})
}

// giveBack gives back what was not used.
func (t *turn) giveBack() {
	for _, p := range t.people {
		add(t.tokens, p.paid)
	}
	maps.DeleteFunc(t.tokens, func(_ budget.Endpoint, count int) bool { return count == 0 })
	if len(t.tokens) > 0 {
		t.limiter.Return(t.tokens)
	}
}

// unpay gives tokens back to the turn.
func (t *turn) unpay(calls budget.Calls) {
	t.paying.Lock()
	defer t.paying.Unlock()
	add(t.tokens, calls)
}
