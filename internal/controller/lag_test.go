package controller_test

import (
	"context"
	"io"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// laggingWatches has what a watch tells arrive so much later, and everything else as it is.
func laggingWatches(lag time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err == nil && request.URL.Query().Get("watch") == "true" {
				response.Body = late(response.Body, lag)
			}
			return response, err
		})
	}
}

// lateBody gives what is read of a body so much later.
type lateBody struct {
	io.Reader
	body io.Closer
	pipe *io.PipeReader
}

func (l lateBody) Close() error {
	_ = l.pipe.Close() // it has no error to tell
	return l.body.Close()
}

func late(body io.ReadCloser, lag time.Duration) io.ReadCloser {
	type piece struct {
		due  time.Time
		data []byte
		err  error
	}
	pieces := make(chan piece, 1<<16)
	go func() {
		defer close(pieces)
		for {
			data := make([]byte, 32<<10)
			n, err := body.Read(data)
			pieces <- piece{time.Now().Add(lag), data[:n], err}
			if err != nil {
				return
			}
		}
	}()
	reader, writer := io.Pipe()
	go func() {
		for p := range pieces {
			<-time.After(time.Until(p.due))
			if _, err := writer.Write(p.data); err != nil {
				return
			}
			if p.err != nil {
				writer.CloseWithError(p.err)
				return
			}
		}
	}()
	return lateBody{reader, body, reader}
}

var _ = Describe("While watches lag", func() {
	const watchesLag = 3 * time.Second
	lagging := func(ctx context.Context, rules func(*v1alpha1.OrganizationSpec), people ...openaitest.User) *world {
		GinkgoHelper()
		w := emptyWorld(ctx, people...)
		w.watchLag = watchesLag
		w.begin(rules)
		return w
	}
	// at waits for a moment, for which a change is too early or too late otherwise.
	at := func(moment time.Time) {
		GinkgoHelper()
		Eventually(time.Now).WithPolling(10 * time.Millisecond).Should(BeTemporally(">", moment))
	}

	It("a leaver stays whom an OrgUser names that no cache has yet", func(ctx context.Context) {
		w := lagging(ctx, func(spec *v1alpha1.OrganizationSpec) {
			spec.Guard.RemovalDelay = &metav1.Duration{Duration: 8 * time.Second}
		}, ada, grace)
		user := w.orgUser("grace")
		w.create(user)
		w.expectReady(user)
		w.delete(user)
		w.expectGone(user)
		var due time.Time
		Eventually(func(g Gomega) {
			g.Expect(w.status().Leaving).To(HaveLen(1))
			due = w.status().Leaving[0].Due.Time
		}).Should(Succeed())
		at(due.Add(-watchesLag / 2))
		heir := w.orgUser("heir", func(spec *v1alpha1.OrgUserSpec) { spec.Email = "grace@example.com" })
		w.create(heir)
		w.expectReady(heir)
		Eventually(func() []v1alpha1.Leaver { return w.status().Leaving }).Should(BeEmpty())
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("a role stays that a binding gives which no cache has yet", func(ctx context.Context) {
		w := lagging(ctx, func(*v1alpha1.OrganizationSpec) {}, ada, grace)
		w.sim.AddRole(openaitest.Role{Name: "viewer"})
		before, after := w.binding("before", "viewer"), w.binding("after", "viewer")
		before.Spec.Subjects = []v1alpha1.Subject{{Email: "grace@example.com"}}
		after.Spec.Subjects = before.Spec.Subjects
		w.create(before)
		w.expectReady(before)
		w.sim.ResetJournal()
		edit(w, before, func(b *v1alpha1.OrgUserRoleBinding) { b.Spec.Subjects = []v1alpha1.Subject{} })
		at(time.Now().Add(watchesLag / 2))
		w.create(after)
		w.expectReady(after)
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
	})

	It("nobody is removed as undeclared whom an OrgUser names that no cache has yet", func(ctx context.Context) {
		w := lagging(ctx, removeUndeclared, ada, grace)
		user := w.orgUser("ada")
		w.create(user)
		w.expectReady(user)
		w.resync()
		w.ask()
		at(time.Now().Add(watchesLag / 2))
		late := w.orgUser("grace")
		w.create(late)
		w.expectReady(late)
		w.quiet()
		Expect(w.mutationsTried()).To(BeEmpty())
	})
})
