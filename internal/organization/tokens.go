package organization

import (
	"maps"
	"slices"

	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/openai/budget"
	"github.com/rollcall-dev/rollcall/internal/pending"
)

// queue is of whom a turn is: of those of a lane who wait for the same endpoint, where the API takes few requests of it.
// Who needs none of these does not wait behind them.
type queue struct {
	lane pending.Lane
	// slow is the endpoint that takes the fewest of all that they need; "" where none was learnt.
	slow budget.Endpoint
}

// queues are all that there may be now.
func (o *Organization) queues() []queue {
	slow := append([]budget.Endpoint{""}, slices.Sorted(maps.Keys(o.limiter.Learnt()))...)
	var all []queue
	for lane := range pending.Lanes {
		for _, endpoint := range slow {
			all = append(all, queue{lane, endpoint})
		}
	}
	return all
}

// waiting are the first of a queue, at most so many.
func (o *Organization) waiting(q queue, most int) []*pending.Candidate {
	learnt := o.limiter.Learnt()
	return o.pending.Waiting(q.lane, most, func(c *pending.Candidate) bool {
		return len(learnt) == 0 && q.slow == "" || len(learnt) > 0 && slowest(c.Costs(), learnt) == q.slow
	})
}

// slowest is the call of which the fewest a minute are taken; "" where none was learnt.
func slowest(calls budget.Calls, learnt map[budget.Endpoint]float64) (slow budget.Endpoint) {
	for endpoint := range calls {
		rate, ok := learnt[endpoint]
		if known := learnt[slow]; ok && (slow == "" || rate < known || rate == known && endpoint < slow) {
			slow = endpoint
		}
	}
	return slow
}

// wanted are the tokens of a turn for those who wait now: of as many people as go at once within the budget.
func (o *Organization) wanted(q queue) budget.Calls {
	waiting := o.waiting(q, pending.PeopleATurn)
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
