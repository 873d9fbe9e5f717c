package plan

// Rule names a rule of the guard as spec.guard does.
type Rule string

const (
	// RuleMinOwners keeps a number of owners.
	RuleMinOwners Rule = "minOwners"
	// RuleMaxRemovals bounds the removals of a window.
	RuleMaxRemovals Rule = "maxRemovals"
)

// Rules are what the guard keeps to.
type Rules struct {
	MinOwners   int
	MaxRemovals int
}

// Facts are what the guard decides on. They are to be fresh.
type Facts struct {
	// Owners is the number of owners, those of the steps among them.
	Owners int
	// Removals is the number of removals in this window so far.
	Removals int
}

// Refusal is a step that a rule holds back.
type Refusal struct {
	Step Step
	Rule Rule
}

// Guard lets those steps pass, in their order, that keep the rules together with the ones before them.
func Guard(steps []Step, rules Rules, facts Facts) (passed []Step, held []Refusal) {
	for _, step := range steps {
		switch {
		case step.DemotesOwner && facts.Owners <= rules.MinOwners:
			held = append(held, Refusal{step, RuleMinOwners})
			continue
		case step.Verb == Remove && facts.Removals >= rules.MaxRemovals:
			held = append(held, Refusal{step, RuleMaxRemovals})
			continue
		}
		if step.DemotesOwner {
			facts.Owners--
		}
		if step.Verb == Remove {
			facts.Removals++
		}
		passed = append(passed, step)
	}
	return passed, held
}
