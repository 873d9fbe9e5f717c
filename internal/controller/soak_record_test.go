package controller_test

import (
	"maps"
	"slices"
	"time"
)

// record is what was declared when, in a random history.
type record struct {
	standings map[string][]standingSince // by email
	joined    map[string]time.Time       // last, by email
	bindings  map[string][]string        // "role email", by binding
	bound     []boundSince
	manifests []manifest
	handed    map[string]bool // "role email" of roles that were ever given by hand
	spells    []spell         // of Observe
	hands     []spell         // in which somebody's role or address was set by hand
	typo      spell           // in which a manifest names nobody
}

// lag is how long the manager may go on with what was so before: its cache is not told at once.
const lag = time.Second

// standing is what the manifests say of a person.
type standing string

const (
	undeclaredYet     standing = "not declared"
	declared          standing = "declared"
	leaving           standing = "deleted with policy Delete"
	retiredWithRetain standing = "deleted with policy Retain"
)

// byHand changes the organization as an owner does on the website.
func (r *record) byHand(change func()) {
	from := time.Now()
	change()
	r.hands = append(r.hands, spell{from: from, until: time.Now()})
}

type standingSince struct {
	standing
	since time.Time
}

type boundSince struct {
	pairs map[string]bool
	since time.Time
}

type spell struct{ from, until time.Time }

func (r *record) stand(email string, now standing) {
	if r.standings == nil {
		r.standings = map[string][]standingSince{}
	}
	r.standings[email] = append(r.standings[email], standingSince{now, time.Now()})
}

// standing tells what held of a person during the lag before a moment.
func (r *record) standing(email string, at time.Time) []standing {
	held := []standing{undeclaredYet}
	for _, s := range r.standings[email] {
		switch {
		case s.since.After(at):
		case s.since.Before(at.Add(-lag)):
			held = []standing{s.standing}
		default:
			held = append(held, s.standing)
		}
	}
	return held
}

func (r *record) last(email string) standingSince {
	all := r.standings[email]
	if len(all) == 0 {
		return standingSince{standing: undeclaredYet}
	}
	return all[len(all)-1]
}

func (r *record) join(email string) {
	if r.joined == nil {
		r.joined = map[string]time.Time{}
	}
	r.joined[email] = time.Now()
}

// bind notes whom a binding names: at first what it named before and names still, then what it names now.
func (r *record) bind(name, role string, emails []string, change func()) {
	if r.bindings == nil {
		r.bindings = map[string][]string{}
	}
	var after []string
	for _, email := range emails {
		after = append(after, role+" "+email)
	}
	r.bindings[name] = slices.DeleteFunc(slices.Clone(r.bindings[name]), func(pair string) bool { return !slices.Contains(after, pair) })
	r.noteBound()
	change()
	r.bindings[name] = after
	r.noteBound()
}

func (r *record) noteBound() {
	pairs := map[string]bool{}
	for _, named := range r.bindings {
		for _, pair := range named {
			pairs[pair] = true
		}
	}
	r.bound = append(r.bound, boundSince{pairs, time.Now()})
}

// wasBound says whether a binding gave the role to the person all through the lag before a moment.
func (r *record) wasBound(role, email string, at time.Time) bool {
	now := map[string]bool{}
	for _, b := range r.bound {
		switch {
		case b.since.After(at):
		case b.since.Before(at.Add(-lag)):
			now = maps.Clone(b.pairs)
		default:
			maps.DeleteFunc(now, func(pair string, _ bool) bool { return !b.pairs[pair] })
		}
	}
	return now[role+" "+email]
}

// unboundSince tells when the last binding that gave the role to the person went or left them out.
func (r *record) unboundSince(role, email string) (since time.Time, ever bool) {
	for _, b := range r.bound {
		switch {
		case b.pairs[role+" "+email]:
			since, ever = time.Time{}, true
		case ever && since.IsZero():
			since = b.since
		}
	}
	return since, ever && !since.IsZero()
}

func (r *record) hand(role, email string) {
	if r.handed == nil {
		r.handed = map[string]bool{}
	}
	r.handed[role+" "+email] = true
}

func (r *record) beginTypo() { r.typo.from = time.Now() }

func (r *record) endTypo() { r.typo.until = time.Now() }

func (r *record) observing() bool {
	return len(r.spells) > 0 && r.spells[len(r.spells)-1].until.IsZero()
}

func (r *record) beginObserve() { r.spells = append(r.spells, spell{from: time.Now()}) }

func (r *record) endObserve() { r.spells[len(r.spells)-1].until = time.Now() }

// observed says whether the mode had been Observe for longer than the lag at a moment.
func (r *record) observed(at time.Time) bool {
	return slices.ContainsFunc(r.spells, func(s spell) bool {
		return at.After(s.from.Add(lag)) && (s.until.IsZero() || at.Before(s.until))
	})
}

// observedSince says whether the mode was Observe at any time since a moment.
func (r *record) observedSince(at time.Time) bool {
	return slices.ContainsFunc(r.spells, func(s spell) bool { return s.until.IsZero() || s.until.After(at) })
}
