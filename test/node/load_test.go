package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// crowd are the people whom the load changes again and again.
var crowd = strings.Fields("edsger.dijkstra donald.knuth tony.hoare radia.perlman john.mccarthy adele.goldberg dennis.ritchie " +
	"ken.thompson lynn.conway niklaus.wirth mary.shaw leslie.lamport jean.sammet robin.milner anita.borg stephen.kleene")

// load changes the crowd, round after round.
type load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	round  int
}

func startLoad(ctx context.Context, t team) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	l.done.Go(func() {
		defer GinkgoRecover()
		for ctx.Err() == nil {
			l.round++
			// Not under the context that ends the load: a round is applied whole.
			l.apply(context.WithoutCancel(ctx), t)
		}
	})
	return l
}

func (l *load) level() string { return fmt.Sprintf("level %d", l.round) }

func (l *load) apply(ctx context.Context, t team) {
	manifests := make([]string, len(crowd))
	for i, name := range crowd {
		manifests[i] = orgUser(name+"@example.com", "technicalLevel: "+l.level())
	}
	t.declare(ctx, manifests...)
}

// stop returns the level that everybody was given last.
func (l *load) stop() string {
	l.cancel()
	l.done.Wait()
	return l.level()
}

// expectEachOnce looks for a change that was made twice: in one round every level differs, so two writes of one
// are one too many. A write that failed was made in vain.
func expectEachOnce(ctx context.Context, t team, since int) {
	GinkgoHelper()
	made := map[string]bool{}
	for _, call := range t.writes(ctx)[since:] {
		Expect(call.Status).To(Equal(200), "%s %s %s", call.Method, call.Path, call.Body)
		var body struct {
			TechnicalLevel string `json:"technical_level"` //nolint:tagliatelle // the API's name
		}
		Expect(json.Unmarshal([]byte(call.Body), &body)).To(Succeed(), call.Body)
		key := call.Path + " " + body.TechnicalLevel
		Expect(made).NotTo(HaveKey(key), "made twice")
		made[key] = true
	}
}
