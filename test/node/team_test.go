package node_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rollcall-dev/rollcall/internal/openai/openaitest"
)

// team is a namespace with an Organization, and in it the simulated organization as a pod.
type team string

// newTeam makes a namespace that enforces the restricted Pod Security Standard and starts the simulator in it.
func newTeam(ctx context.Context, name string) team {
	GinkgoHelper()
	t := team(name)
	apply(ctx, fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Service
metadata: {name: orgsim, namespace: %[1]s}
spec: {selector: {app: orgsim}, ports: [{port: 80, targetPort: 8090}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orgsim, namespace: %[1]s}
spec:
  selector: {matchLabels: {app: orgsim}}
  template:
    metadata: {labels: {app: orgsim}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: orgsim
        image: rollcall-orgsim:dev
        args: [--listen=:8090, --organization-id=org-%[1]s, --admin-key=sk-admin-%[1]s]
        readinessProbe: {httpGet: {path: /sim/healthz, port: 8090}, periodSeconds: 1}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`, name))
	t.in(ctx, "rollout", "status", "deployment/orgsim", "--timeout=60s")
	// There is no DNS on this node.
	address := t.in(ctx, "get", "service", "orgsim", "-o", "jsonpath={.spec.clusterIP}")
	apply(ctx, fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: openai-admin-key}
stringData: {api-key: sk-admin-%s, base-url: "http://%s/v1"}
---
apiVersion: openai.rollcall.dev/v1alpha1
kind: Organization
metadata: {name: default}
spec:
  adminKeySecretRef: {name: openai-admin-key}
  requestsPerMinute: 6000
  guard: {maxRemovals: 2, removalDelay: 0s}
`, name, address), "-n", name)
	return t
}

// in runs kubectl in the team's namespace.
func (t team) in(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	return kubectl(ctx, append([]string{"-n", string(t)}, arguments...)...)
}

// orgUser is a manifest. more are further lines of its spec.
func orgUser(email string, more ...string) string {
	name, _, _ := strings.Cut(email, "@")
	return fmt.Sprintf(`---
apiVersion: openai.rollcall.dev/v1alpha1
kind: OrgUser
metadata: {name: %s}
spec:
  email: %s
  %s
`, name, email, strings.Join(more, "\n  "))
}

func (t team) declare(ctx context.Context, manifests ...string) {
	GinkgoHelper()
	apply(ctx, strings.Join(manifests, ""), "-n", string(t))
}

func (t team) ready(ctx context.Context, objects ...string) {
	GinkgoHelper()
	t.in(ctx, append([]string{"wait", "--for=condition=Ready", "--timeout=60s"}, objects...)...)
}

// reread asks for a whole reading, and returns when it is done.
func (t team) reread(ctx context.Context) {
	GinkgoHelper()
	value := fmt.Sprintf("after-%d-calls", len(t.journal(ctx)))
	t.in(ctx, "annotate", "oaiorg", "default", "--overwrite", "openai.rollcall.dev/sync-requested-at="+value)
	t.in(ctx, "wait", "oaiorg/default", "--for=jsonpath={.status.lastHandledSyncRequest}="+value, "--timeout=60s")
}

// byHand changes the organization past rollcall.
func (t team) byHand(ctx context.Context, arguments ...string) {
	GinkgoHelper()
	t.in(ctx, append([]string{"exec", "deployment/orgsim", "--", "/orgsim"}, arguments...)...)
}

func (t team) ask(ctx context.Context, path string) string {
	GinkgoHelper()
	return kubectl(ctx, "get", "--raw", "/api/v1/namespaces/"+string(t)+"/services/orgsim:80/proxy/sim/"+path)
}

// people are the members of the organization by email.
func (t team) people(ctx context.Context) map[string]openaitest.Person {
	GinkgoHelper()
	people := map[string]openaitest.Person{}
	for _, person := range fromJSON[[]openaitest.Person](t.ask(ctx, "users")) {
		people[person.Email] = person
	}
	return people
}

func (t team) emails(ctx context.Context) []string {
	GinkgoHelper()
	return slices.Sorted(maps.Keys(t.people(ctx)))
}

func (t team) journal(ctx context.Context) []openaitest.Call {
	GinkgoHelper()
	return fromJSON[[]openaitest.Call](t.ask(ctx, "journal"))
}

// writes are the calls that were to change the organization, whether they did or not.
func (t team) writes(ctx context.Context) []openaitest.Call {
	GinkgoHelper()
	return slices.DeleteFunc(t.journal(ctx), func(call openaitest.Call) bool { return call.Method == http.MethodGet })
}

// tried are the writes since the first so many, in short.
func (t team) tried(ctx context.Context, since int) []string {
	GinkgoHelper()
	short := []string{}
	for _, call := range t.writes(ctx)[since:] {
		short = append(short, fmt.Sprintf("%s %s: %d", call.Method, call.Path, call.Status))
	}
	return short
}
