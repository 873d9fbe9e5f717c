package argocd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/tracing"
	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// What Argo CD's application controller does between two steps of a sync. It waits so long after a wave (controller/sync.go:
// delayBetweenSyncWaves), looks again so long after an object of its changed (controller/appcontroller.go:
// appOperationRequeueDelay), and at the latest after that (appOperationMaxRequeueInterval).
const (
	waveDelay    = 2 * time.Second
	requeueDelay = 5 * time.Second
	requeueMost  = 30 * time.Second
)

const trackingAnnotation = "argocd.argoproj.io/tracking-id"

// argocdCluster is what all Applications share.
type argocdCluster struct {
	config  *rest.Config
	kubectl kube.Kubectl
	health  health.HealthOverride
	live    cache.ClusterCache
}

func newArgocdCluster(t *testing.T, config *rest.Config) *argocdCluster {
	t.Helper()
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	health := overrides(t)
	live := cache.NewClusterCache(config, cache.SetKubectl(kubectl), cache.SetLogr(logr.Discard()),
		cache.SetSettings(cache.Settings{ResourceHealthOverride: health, ResourcesFilter: rollcallOnly{}}),
		cache.SetPopulateResourceInfoHandler(func(object *unstructured.Unstructured, _ bool) (any, bool) {
			application := object.GetAnnotations()[trackingAnnotation]
			return application, application != ""
		}))
	NewWithT(t).Expect(live.EnsureSynced()).To(Succeed())
	t.Cleanup(func() { live.Invalidate() })
	return &argocdCluster{config: config, kubectl: kubectl, health: health, live: live}
}

// rollcallOnly spares the cache the kinds that no story is about.
type rollcallOnly struct{}

func (rollcallOnly) IsExcludedResource(group, _, _ string) bool {
	return group != v1alpha1.GroupVersion.Group
}

func (rollcallOnly) GetLabelSelector(_, _, _ string) string { return "" }

// application syncs as an Application of Argo CD with automated pruning.
type application struct {
	*argocdCluster

	name      string
	pruneLast bool
}

func (a *application) isMine(resource *cache.Resource) bool {
	return resource != nil && resource.Info == a.name
}

// sync does what the application controller does: SyncAppState in controller/sync.go, again and again.
func (a *application) sync(ctx context.Context, objects commit) error {
	objects = objects.copy()
	for _, object := range objects {
		annotate(object, trackingAnnotation, a.name)
	}
	changed := make(chan struct{}, 1)
	defer a.live.OnResourceUpdated(func(now, before *cache.Resource, _ map[kube.ResourceKey]*cache.Resource) {
		if a.isMine(now) || a.isMine(before) {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	})()

	started := metav1.Now()
	phase, message, results := common.OperationRunning, "", []common.ResourceSyncResult(nil)
	for {
		var err error
		phase, message, results, err = a.step(ctx, objects, phase, message, results, started)
		switch {
		case err != nil:
			return err
		case phase.Successful():
			return nil
		case phase.Completed():
			return fmt.Errorf("%s: %s", phase, message)
		}
		latest := time.After(requeueMost)
		select {
		case <-changed:
			select {
			case <-time.After(requeueDelay):
			case <-ctx.Done():
			}
		case <-latest:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %s: %s", ctx.Err(), phase, message)
		}
	}
}

func (a *application) step(ctx context.Context, objects commit, phase common.OperationPhase, message string,
	results []common.ResourceSyncResult, started metav1.Time,
) (common.OperationPhase, string, []common.ResourceSyncResult, error) {
	live, err := a.live.GetManagedLiveObjs(objects, a.isMine)
	if err != nil {
		return phase, message, results, err
	}
	foreground := metav1.DeletePropagationForeground
	step, cleanup, err := sync.NewSyncContext("", sync.Reconcile(objects, live, "", a.live), a.config, a.config, a.kubectl, "",
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(a.health),
		sync.WithOperationSettings(false, true, false, true),
		sync.WithInitialState(phase, message, results, started),
		sync.WithManifestValidation(true),
		sync.WithSyncWaveHook(func(_ common.SyncPhase, _ int, last bool) error {
			if !last {
				<-time.After(waveDelay)
			}
			return nil
		}),
		sync.WithPruneLast(a.pruneLast),
		sync.WithPrunePropagationPolicy(&foreground),
	)
	if err != nil {
		return phase, message, results, err
	}
	defer cleanup()
	step.Sync(ctx)
	phase, message, results = step.GetState()
	return phase, message, results, nil
}
