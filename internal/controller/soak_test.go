package controller_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

var (
	moreSoaks = flag.Uint64("soak", 0, "how many random histories to try besides the fixed ones")
	soakFrom  = flag.Uint64("soak-from", 0, "the seed of the first of these; a random one if 0")
)

// soakSeeds are the seeds of every run, and as many more as make soak asks for.
func soakSeeds() []uint64 {
	seeds := []uint64{1, 2, 3, 4, crowdedSeed, laggingSeed, narrowSeed}
	from := *soakFrom
	if from == 0 {
		from = rand.Uint64N(1 << 32)
	}
	for i := range *moreSoaks {
		seeds = append(seeds, from+i)
	}
	return seeds
}

const (
	// crowdedSeed is a history with a second Organization object for half of the people, a binding of more than a hundred,
	// and another organization that does not answer.
	crowdedSeed = 5
	// laggingSeed is a history in which the manager is told late of every change, and narrowSeed one with a small budget, a
	// slow API, and an endpoint that takes few requests.
	laggingSeed = 7
	narrowSeed  = 8
)

const (
	soakPeople    = 12
	soakSteps     = 100 // of a history, besides its scenes
	soakBurst     = 6
	soakMinOwners = 2
	// soakVariants is after how many seeds the variants come again.
	soakVariants = 9
)

// soak is a world in which anything may happen, and a record of what did.
type soak struct {
	*world
	record

	dice *rand.Rand
	// tidies: the Organization removes what is undeclared.
	tidies      bool
	maxRemovals int
	mode        v1alpha1.Mode
	// crowded: see crowdedSeed.
	crowded bool
	key     int
	story   []string
}

var _ = Describe("Whatever happens", func() {
	for _, seed := range soakSeeds() {
		It(fmt.Sprintf("nobody loses access by accident, and the declared state is reached (seed %d)", seed), func(ctx context.Context) {
			s := newSoak(ctx, seed, v1alpha1.ModeEnforce)
			if s.tidies {
				s.misspell()
			}
			s.live()
			s.calmDown()
			s.expectDeclaredState()
			s.expectPromisesKept()
			s.expectNothingMore()
			s.expectTeardownRemovesNobody()
		})
	}

	It("nothing is tried under Observe", func(ctx context.Context) {
		s := newSoak(ctx, 9, v1alpha1.ModeObserve)
		s.live()
		s.calmDown()
		Expect(s.mutationsTried()).To(BeEmpty(), s.tale())
	})
})

// newSoak makes the world of a seed. In every third what is undeclared is removed, and in every second but a few
// people may be. Where the mode is Observe it stays so; else there are spells of it.
func newSoak(ctx context.Context, seed uint64, mode v1alpha1.Mode) *soak {
	GinkgoHelper()
	people, _ := numberedPeople(soakPeople, "reader")
	for i := range 4 {
		people[i].Role = "owner"
	}
	s := &soak{dice: rand.New(rand.NewPCG(seed, seed)), tidies: seed%3 == 0, maxRemovals: 6, mode: mode}
	if seed%2 == 0 {
		s.maxRemovals = 2
	}
	s.world = emptyWorld(ctx, people...)
	if seed%soakVariants == laggingSeed {
		s.watchLag = 700 * time.Millisecond
	}
	s.begin(func(spec *v1alpha1.OrganizationSpec) {
		if seed%soakVariants == narrowSeed {
			spec.RequestsPerMinute = 1200
			s.sim.SetLatency(30 * time.Millisecond)
			s.sim.LimitEndpoint(http.MethodPost, "/organization/users/{id}", 300, openaitest.HintText)
		}
		spec.Mode = mode
		spec.Guard = v1alpha1.Guard{MinOwners: soakMinOwners, MaxRemovals: new(intstr.FromInt(s.maxRemovals)), RemovalDelay: &metav1.Duration{}}
		if s.tidies {
			removeUndeclared(spec)
			unassignUndeclared(spec)
		}
	})
	for _, role := range []string{"viewer", "editor"} {
		s.sim.AddRole(openaitest.Role{Name: role})
	}
	if seed%soakVariants == crowdedSeed {
		s.crowd()
	}
	// What happened is told with a failure.
	DeferCleanup(func() {
		if CurrentSpecReport().Failed() {
			GinkgoWriter.Println(s.tale())
		}
	})
	return s
}

func (s *soak) tale() string { return strings.Join(s.story, "\n") }

func (s *soak) notef(format string, arguments ...any) {
	s.story = append(s.story, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, arguments...))
}

func pick[T any](s *soak, from ...T) T { return from[s.dice.IntN(len(from))] }

// live has things happen, in bursts between which the manager gets some way. Between the first of them are the
// scenes, in any order.
func (s *soak) live() {
	GinkgoHelper()
	for range soakPeople {
		s.declareSomebody()
	}
	scenes := s.scenes()
	s.dice.Shuffle(len(scenes), func(i, j int) { scenes[i], scenes[j] = scenes[j], scenes[i] })
	for step := range soakSteps {
		s.something()
		if step%soakBurst < soakBurst-1 {
			continue
		}
		s.breathe()
		if s.crowded {
			s.bindCrowd()
		}
		if len(scenes) > 0 {
			s.play(scenes[0])
			scenes = scenes[1:]
		}
		if s.dice.IntN(2) == 0 {
			// Else much of a history would be waiting.
			s.enforce()
			s.storeKey()
		}
	}
}

// play has a scene happen to a manager that nothing else keeps from going wrong in it.
func (s *soak) play(scene func()) {
	GinkgoHelper()
	s.notef("a scene:")
	s.calm()
	s.rest()
	scene()
	s.rest()
}

// breathe waits until the manager has nothing to do for a moment, but not for long: a burst may come at any
// time.
func (s *soak) breathe() { s.wait(200*time.Millisecond, time.Second) }

// rest waits until the manager has done what it is about to do.
func (s *soak) rest() { s.wait(700*time.Millisecond, 10*time.Second) }

// wait ends after so long a stillness, and at the latest after the time given.
func (s *soak) wait(still, longest time.Duration) {
	seen, since, begun := -1, time.Now(), time.Now()
	for time.Since(since) < still && time.Since(begun) < longest {
		if now := len(s.sim.Journal()) + s.writes.total(); now != seen {
			seen, since = now, time.Now()
		}
		<-time.After(10 * time.Millisecond)
	}
}

// something happens: to the manifests, by hand in the organization, to the API, or to the manager.
func (s *soak) something() {
	GinkgoHelper()
	switch roll := s.dice.IntN(100); {
	case roll < 28:
		s.declareSomebody()
	case roll < 42:
		s.deleteSomebody()
	case roll < 57:
		s.bindSomething()
	case roll < 70:
		s.driftByHand()
	case roll < 73:
		s.demoteOwners()
	case roll < 75:
		s.renameLeaver()
	case roll < 77:
		s.retireSomebody()
	case roll < 80:
		s.loseAnswer()
	case roll < 87:
		s.breakTheAPI()
	case roll < 89:
		s.rotateTheKey()
	case roll < 92:
		s.switchMode()
	case roll < 95:
		s.notef("a resync is asked for")
		s.ask()
	case roll < 97:
		s.notef("the manager is stopped and started")
		s.stop()
		s.startManager()
	default:
		s.notef("the manager is killed and started")
		s.kill()
		s.startManager()
	}
}

// calm ends what keeps the manager from its work.
func (s *soak) calm() {
	GinkgoHelper()
	s.sim.ClearFaults()
	s.enforce()
	s.storeKey()
}

// calmDown has the manager reach what is declared.
func (s *soak) calmDown() {
	GinkgoHelper()
	s.calm()
	s.read(2)
	if s.tidies {
		s.tidyUp()
	}
}

// read has the organization read whole so many times, and the manager do what comes of it.
func (s *soak) read(times int) {
	GinkgoHelper()
	for range times {
		s.resync()
		s.quiet()
	}
}

// misspell has a manifest name nobody for a while, in which nobody may be called undeclared.
func (s *soak) misspell() {
	GinkgoHelper()
	typo := s.orgUser("typo")
	s.create(s.orgUser("user-0000"), typo)
	s.stand(numbered(0), declared)
	s.beginTypo()
	s.read(3)
	s.endTypo()
	s.delete(typo)
}

// tidyUp has what is undeclared removed. It takes two readings, and one more before the roles of all are known.
func (s *soak) tidyUp() {
	GinkgoHelper()
	s.deleteUnmatched()
	s.read(4)
}
