package registry

// ForgetAfter is how long an organization without any object is remembered.
const ForgetAfter = forgetAfter

// Kept counts the organizations, links, pairs noted and ledgers that are kept.
func (a *Organizations) Kept() []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return []int{len(a.byPair), len(a.links), len(a.noted), len(a.ledgers)}
}
