package argocd_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/io"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
	"github.com/rollcall-dev/rollcall/internal/controller"
	"github.com/rollcall-dev/rollcall/test/controlplane"
)

// cluster is a control plane with rollcall's kinds and its manager, and with Argo CD's cache of it.
type cluster struct {
	*controlplane.ControlPlane

	admin   client.WithWatch
	argocd  *argocdCluster
	absence *absence
}

// newCluster starts one. It ends with the test.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	g := NewWithT(t)
	io.TempDir = t.TempDir() // where Argo CD's engine writes manifests and kubeconfigs
	ctrl.SetLogger(logr.Discard())
	ctx, cancel := context.WithCancel(t.Context())
	plane, err := controlplane.Start(ctx, controlplane.Options{
		CRDs: filepath.Join("..", "..", "config", "crd", "bases"), ControllerManager: true,
	})
	g.Expect(err).NotTo(HaveOccurred())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
		g.Expect(plane.Stop()).To(Succeed())
	})

	scheme := runtime.NewScheme()
	g.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	g.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	admin, err := client.NewWithWatch(plane.Config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	c := &cluster{ControlPlane: plane, admin: admin}

	manager, err := ctrl.NewManager(plane.Config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		Client:  client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(controller.SetupWithManager(ctx, manager, controller.Options{
		Workers: 20, RequestTimeout: 5 * time.Second, Linger: -1,
	})).To(Succeed())
	running.Go(func() {
		if err := manager.Start(ctx); err != nil {
			t.Errorf("the manager: %v", err)
		}
	})
	<-manager.Elected()

	c.absence = watchAbsence(ctx, t, &running, admin)
	c.argocd = newArgocdCluster(t, plane.Config)
	return c
}
