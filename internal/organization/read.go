package organization

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/declared"
	"github.com/rollcall-dev/rollcall/internal/link"
	"github.com/rollcall-dev/rollcall/internal/openai"
	"github.com/rollcall-dev/rollcall/internal/pending"
	"github.com/rollcall-dev/rollcall/internal/plan"
	"github.com/rollcall-dev/rollcall/internal/roster"
	"github.com/rollcall-dev/rollcall/internal/tries"
)

// join adds an Organization object.
func (o *Organization) join(l *link.Link) {
	o.links.Join(l)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.emptySince = time.Time{}
}

// leave takes an Organization object out.
func (o *Organization) leave(object types.NamespacedName) {
	o.links.Leave(object)
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.readFor, object)
}

// emptyFrom notes since when no object stands for the organization, if it is not noted yet.
func (o *Organization) emptyFrom(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.emptySince.IsZero() {
		o.emptySince = now
	}
}

func (o *Organization) emptyFor(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.emptySince.IsZero() {
		return 0
	}
	return now.Sub(o.emptySince)
}

// becameKnown has everybody of an object taken up.
func (o *Organization) becameKnown(interval time.Duration) {
	o.mu.Lock()
	if o.nextRead.IsZero() {
		o.nextRead = o.now().Add(jittered(interval))
	}
	o.mu.Unlock()
	o.wakeEverybody()
	o.pending.Nudge()
}

// wakeEverybody has all taken up of whom any object speaks.
func (o *Organization) wakeEverybody() {
	ctx := context.Background()
	for _, name := range o.objects(ctx) {
		o.WakeObject(ctx, name)
	}
}

// WakeObject has everybody taken up of whom the objects of one Organization speak.
func (o *Organization) WakeObject(ctx context.Context, name types.NamespacedName) {
	users, err := o.cache.OrgUsers(ctx, name)
	if err != nil {
		o.log.Error(err, "cannot tell whom an Organization declares; the next reading will", "organization", name.String())
		return
	}
	for i := range users {
		o.pending.Wake(pending.Reread, false, declared.KeysOf(&users[i])...)
	}
	bindings, err := o.cache.Bindings(ctx, name)
	if err != nil {
		o.log.Error(err, "cannot tell whom an Organization declares; the next reading will", "organization", name.String())
		return
	}
	for i := range bindings {
		o.pending.Wake(pending.Reread, false, declared.KeysOf(&bindings[i])...)
	}
	if org, err := o.cache.Organization(ctx, name); err == nil && org != nil {
		o.pending.Wake(pending.Reread, false, declared.KeysOf(org)...)
	}
}

// jittered spreads an interval by 10% either way, so that organizations are not all read at once.
func jittered(interval time.Duration) time.Duration {
	return interval + time.Duration((rand.Float64()*0.2-0.1)*float64(interval)) //nolint:gosec // nothing depends on its being secret
}

// Ask has the organization read whole now, since a person asked for it on an object, and what failed tried again. The
// value comes back as View.Handled.
func (o *Organization) Ask(object types.NamespacedName, value string) {
	o.mu.Lock()
	l := o.links.Of(object)
	asked := o.readFor[object] == value || o.reading[object] == value || l != nil && l.Status().Handled == value
	if !asked {
		o.readFor[object] = value
	}
	o.mu.Unlock()
	if !asked {
		o.readNow()
	}
}

// FreeGuarded has what the guard holds asked again: its rules, or what they count, changed.
func (o *Organization) FreeGuarded() {
	o.pending.Wake(pending.Due, true, o.tries.FreeGuarded()...)
}

func (o *Organization) readNow() {
	o.mu.Lock()
	o.nextRead = o.now()
	o.mu.Unlock()
	select {
	case o.reread <- struct{}{}:
	default:
	}
}

// tick is how often it is looked whether roles are to be listed again.
const tick = time.Second

// keepReading reads the organization whole, again and again, and has roles listed that are due.
func (o *Organization) keepReading(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	attempts := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.reread:
		case <-ticker.C:
		}
		o.listDueRoles(ctx)
		interval := o.links.Interval()
		if interval == 0 {
			continue // no key can be used
		}
		o.mu.Lock()
		due := !o.now().Before(o.nextRead)
		o.mu.Unlock()
		if !due {
			continue
		}
		begun := o.now()
		err := o.read(ctx)
		o.mu.Lock()
		if !link.IsUnauthorized(err) {
			o.readErr = err // else it is the key's, of one object
		}
		if err == nil {
			attempts = 0
			if !o.nextRead.After(begun) {
				o.nextRead = begun.Add(jittered(interval))
			}
		} else {
			o.nextRead = o.now().Add(tries.Reading.After(attempts))
			attempts++
		}
		again := !o.now().Before(o.nextRead)
		o.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		for _, name := range o.objects(ctx) {
			o.edge.WakeOrganization(name, 0)
		}
		if again {
			o.readNow()
		}
	}
}

func (o *Organization) readError() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.readErr
}

// read reads the organization whole, with a key of one of those who asked for it, else with the one that was used least.
func (o *Organization) read(ctx context.Context) error {
	asked := o.takeRequests()
	class := ctx
	if len(asked) == 0 {
		class = openai.InBackground(ctx)
	}
	var asker types.NamespacedName
	for name := range asked {
		asker = name
	}
	l := o.links.Reader(asker)
	if l == nil {
		o.endRequests(asked, false)
		return link.ErrNoKey
	}
	reading := o.roster.Begin()
	users, err := l.Client().ListUsers(class)
	if err = o.links.Answered(l, err); err != nil {
		o.roster.Abandon()
		o.endRequests(asked, false)
		return err
	}
	if err := o.readRoles(class, l); err != nil {
		o.log.Info("the organization's roles could not be listed; tried again with the next reading", "error", err.Error())
	}
	if len(asked) > 0 {
		o.roster.ExpireAssignments()
		o.pending.Wake(pending.Due, true, o.tries.FreeAll()...)
	}
	o.takeOver(reading, users)
	o.endRequests(asked, true)
	return nil
}

// takeRequests are the requests for a whole reading that the one that begins now answers, by object.
func (o *Organization) takeRequests() map[types.NamespacedName]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := maps.Clone(o.readFor)
	clear(o.readFor)
	o.reading = asked
	o.nextRead = time.Time{}
	return asked
}

// endRequests notes that requests were answered, or has them answered by the next reading.
func (o *Organization) endRequests(asked map[types.NamespacedName]string, answered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reading = nil
	for name, value := range asked {
		if !answered {
			if _, newer := o.readFor[name]; !newer {
				o.readFor[name] = value
			}
		} else if l := o.links.Of(name); l != nil {
			l.Handled(value)
		}
	}
}

// takeOver keeps a whole reading, and has those taken up whom it shows otherwise, and those who are not settled.
func (o *Organization) takeOver(reading roster.Reading, users []openai.User) {
	ctx := context.Background()
	usersBefore, ownersBefore := o.roster.Size()
	changed := o.roster.End(reading, users)
	more := o.moreOwners()
	if users, owners := o.roster.Size(); more || users != usersBefore || owners != ownersBefore {
		o.FreeGuarded() // its rules count both
	}
	o.log.V(1).Info("read the organization whole", "users", len(users), "changed", len(changed))
	o.sighted(ctx)
	o.tries.Sweep()
	o.pending.Wake(pending.Reread, true, changed...)
	for _, name := range o.objects(ctx) {
		unsettled, err := o.cache.Unsettled(ctx, name)
		if err != nil {
			o.log.Error(err, "cannot tell which objects wait; the next reading will", "organization", name.String())
			continue
		}
		for _, object := range unsettled {
			o.pending.Wake(pending.Reread, false, declared.KeysOf(object)...)
			o.edge.Wake(object)
		}
		if org, err := o.cache.Organization(ctx, name); err == nil && org != nil {
			o.pending.Wake(pending.Reread, false, declared.KeysOf(org)...)
		}
	}
}

// readRoles lists the organization's roles, if anybody binds one.
func (o *Organization) readRoles(ctx context.Context, l *link.Link) error {
	for _, name := range o.objects(ctx) {
		bindings, err := o.cache.Bindings(ctx, name)
		if err != nil {
			return err
		}
		if len(bindings) > 0 {
			return o.listCatalog(ctx, l)
		}
	}
	return nil
}

// listCatalog lists the organization's roles, and has all bindings and theirs looked at if they changed.
func (o *Organization) listCatalog(ctx context.Context, l *link.Link) error {
	begun := o.now()
	roles, err := l.Client().ListRoles(ctx)
	if err := o.links.Answered(l, err); err != nil {
		return err
	}
	if !o.roster.SetRoles(begun, roles) {
		return nil
	}
	for _, name := range o.objects(ctx) {
		bindings, err := o.cache.Bindings(ctx, name)
		if err != nil {
			return err
		}
		for i := range bindings {
			o.edge.Wake(&bindings[i])
			o.pending.Wake(pending.Due, false, declared.KeysOf(&bindings[i])...)
		}
	}
	return nil
}

// WantCatalog has the organization's roles listed soon, once for each generation of a binding that does not find its role
// among them. It says whether that is under way.
func (o *Organization) WantCatalog(binding *v1alpha1.OrgUserRoleBinding) bool {
	o.mu.Lock()
	asked := o.catalogFor[binding.UID] == binding.Generation
	o.catalogFor[binding.UID] = binding.Generation
	busy := o.listingCatalog
	o.listingCatalog = o.listingCatalog || !asked
	o.mu.Unlock()
	if asked || busy {
		return busy
	}
	o.spawn(func(ctx context.Context) {
		defer func() {
			o.mu.Lock()
			o.listingCatalog = false
			o.mu.Unlock()
			o.edge.Wake(binding)
		}()
		ctx, cancel := context.WithTimeout(ctx, 2*o.timeout)
		defer cancel()
		l := o.links.Reader(declared.OrganizationOf(binding))
		if l == nil {
			return
		}
		if err := o.listCatalog(ctx, l); err != nil {
			o.log.Info("the organization's roles could not be listed; tried again with the next reading", "error", err.Error())
			o.mu.Lock()
			delete(o.catalogFor, binding.UID)
			o.mu.Unlock()
		}
	})
	return true
}

// listDueRoles has the roles of those listed again that are due, in the background.
func (o *Organization) listDueRoles(ctx context.Context) {
	interval := o.links.Interval()
	if interval == 0 {
		return
	}
	listed := 0
	for _, id := range o.roster.DueAssignments(interval) {
		if listed == peopleATurn {
			return
		}
		key := plan.IDKey(id)
		if o.waits(tries.Look{Key: key, Roles: true}) {
			continue // it hides nobody behind it
		}
		if _, waits := o.pending.WaitingSince(key); waits {
			listed++
			continue
		}
		p, _, err := o.person(ctx, id)
		if err != nil {
			return
		}
		p.RolesKnown = false
		if !plan.Decide(p).Look.Roles {
			o.roster.ForgetAssignments(id) // nobody cares any more
			continue
		}
		listed++
		o.pending.Propose(key, &pending.Candidate{Key: key, User: p.User, Lane: pending.Looking, Urgency: pending.Reread, Look: plan.Look{Roles: true}}, o.now())
		o.pending.Nudge()
	}
}

// sighted counts for each user and role that is undeclared in how many whole readings in a row it was.
func (o *Organization) sighted(ctx context.Context) {
	users, roles := o.policies(ctx)
	sums, unresolved, err := o.sumUp(ctx)
	if err != nil {
		o.log.Error(err, "cannot tell who is undeclared; the next reading will")
		return
	}
	counts := 0
	if !sums.Unresolved && sums.OrgUsers > 0 {
		counts = 1
	}
	now := map[string]sighting{}
	var wake []plan.Key
	suspects, err := o.suspects(ctx, users, roles)
	if err != nil {
		o.log.Error(err, "cannot tell who is undeclared; the next reading will")
		return
	}
	for _, id := range suspects {
		p, _, err := o.person(ctx, id)
		if err != nil {
			o.log.Error(err, "cannot tell who is undeclared; the next reading will")
			return
		}
		d := plan.Decide(p)
		seen := sight(p, d, users, roles, counts)
		if seen.found || len(seen.roles) > 0 {
			now[id] = seen
		}
		if seen.found && users == plan.Take || len(seen.roles) > 0 && roles == plan.Take || roles != plan.Ignore && d.Look.Roles {
			wake = append(wake, plan.IDKey(id))
		}
	}
	o.mu.Lock()
	o.undeclared, o.sums, o.unresolved = now, sums, unresolved
	o.mu.Unlock()
	o.pending.Wake(pending.Reread, false, wake...)
}

// suspects are the users who may be undeclared, or hold undeclared roles.
func (o *Organization) suspects(ctx context.Context, users, roles plan.Policy) ([]string, error) {
	if users == plan.Ignore && roles == plan.Ignore {
		return nil, nil
	}
	names := o.objects(ctx)
	var ids []string
	for _, user := range o.roster.Users() {
		named, err := false, error(nil)
		if roles == plan.Ignore {
			named, err = o.cache.Named(ctx, names, roster.Keys(user))
		}
		if err != nil {
			return nil, err
		}
		if !named {
			ids = append(ids, user.ID)
		}
	}
	return ids, nil
}

// sight is what a whole reading found undeclared of a person, and in how many in a row; counts is 1 for a reading that
// counts, else 0.
func sight(p *plan.Person, d plan.Decision, users, roles plan.Policy, counts int) sighting {
	seen := sighting{roles: map[string]int{}}
	if d.Undeclared && users != plan.Ignore {
		seen.found, seen.user = true, (p.SeenUndeclared+1)*counts
	}
	for _, role := range d.UndeclaredRoles {
		if roles != plan.Ignore {
			seen.roles[role.ID] = (p.SeenUndeclaredRoles[role.ID] + 1) * counts
		}
	}
	return seen
}

// declaredNow forgets that the last reading found a user undeclared whom an object declares by now.
func (o *Organization) declaredNow(id string, d plan.Decision, g declared.Gathered) {
	o.mu.Lock()
	seen, ok := o.undeclared[id]
	changed := ok && seen.found && !d.Undeclared
	if changed {
		seen.found, seen.user = false, 0
		o.undeclared[id] = seen
	}
	o.mu.Unlock()
	if changed {
		o.recount(g)
	}
}

// recount has the Organizations say anew what they count, and what becomes of what no object declares.
func (o *Organization) recount(g declared.Gathered) {
	for _, org := range g.Organizations {
		o.edge.WakeOrganization(client.ObjectKeyFromObject(org), countsGather)
	}
}

// countsGather is how long changes of what is counted gather.
const countsGather = 3 * time.Second

// policies are the strongest for what is undeclared that any object has.
func (o *Organization) policies(ctx context.Context) (users, roles plan.Policy) {
	for _, name := range o.objects(ctx) {
		org, err := o.cache.Organization(ctx, name)
		if err != nil || org == nil {
			continue
		}
		u, r := declared.Policies(org)
		users, roles = max(users, u), max(roles, r)
	}
	return users, roles
}

// sumUp counts what is to be known of the whole organization about one person, and names OrgUsers that are not matched
// with anybody.
func (o *Organization) sumUp(ctx context.Context) (plan.Sums, []plan.Ref, error) {
	names := o.objects(ctx)
	sums := plan.Sums{Objects: len(names)}
	var unresolved []plan.Ref
	for _, name := range names {
		users, err := o.cache.OrgUsers(ctx, name)
		if err != nil {
			return sums, nil, err
		}
		sums.OrgUsers += len(users)
		for i := range users {
			if !declared.ClaimOf(&users[i], nil).Standing(o.roster).Resolved() {
				unresolved = append(unresolved, plan.Ref{Namespace: users[i].Namespace, Name: users[i].Name})
			}
		}
	}
	sums.Unresolved = len(unresolved) > 0
	return sums, unresolved, nil
}

// Undeclared is what the last whole reading found that no object declares.
type Undeclared struct {
	Users, Roles int
	// Left are the steps that would take it and are not made, Held is how many of them the guard holds.
	Left []plan.Due
	Held int
	// Unresolved are OrgUsers that are not matched with anybody, NoOrgUsers is that there are none: nothing is taken then.
	Unresolved []plan.Ref
	NoOrgUsers bool
}

// mostLeft bounds the steps of which each is told.
const mostLeft = 200

// Undeclared returns what the last whole reading found that no object declares.
func (o *Organization) Undeclared(ctx context.Context) (Undeclared, error) {
	users, roles := o.policies(ctx)
	o.mu.Lock()
	u := Undeclared{Unresolved: o.unresolved, NoOrgUsers: true}
	var ids []string
	for id, seen := range o.undeclared {
		if seen.found {
			u.Users++
		}
		u.Roles += len(seen.roles)
		ids = append(ids, id)
	}
	o.mu.Unlock()
	for _, name := range o.objects(ctx) {
		declaring, err := o.cache.OrgUsers(ctx, name)
		if err != nil {
			return u, err
		}
		u.NoOrgUsers = u.NoOrgUsers && len(declaring) == 0
	}
	if users != plan.Take && roles != plan.Take {
		return u, nil
	}
	slices.Sort(ids)
	for _, id := range ids[:min(len(ids), mostLeft)] {
		p, _, err := o.person(ctx, id)
		if err != nil {
			return u, err
		}
		for _, due := range plan.Decide(p).Steps {
			if !due.Step.Takes() || due.Wait.Kind == plan.None || due.Wait.Kind == plan.Pending || due.Step.Verb == plan.Update {
				continue
			}
			u.Left = append(u.Left, due)
			if due.Wait.Kind == plan.Guarded {
				u.Held++
			}
		}
	}
	return u, nil
}
