package argocd_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const fluxGroup = "kustomize.toolkit.fluxcd.io"

// kustomizations sync as Kustomizations of Flux with `prune: true` and `wait: true`, one for each wave, each of which
// depends on the one before.
type kustomizations struct {
	manager *ssa.ResourceManager
	name    string
	// inventory has what was applied, by wave.
	inventory map[int]object.ObjMetadataSet
}

func newKustomizations(t *testing.T, c *cluster, name string) *kustomizations {
	t.Helper()
	writer, err := client.New(c.Config, client.Options{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	poller := polling.NewStatusPoller(writer, writer.RESTMapper(), polling.Options{})
	manager := ssa.NewResourceManager(writer, poller, ssa.Owner{Field: "kustomize-controller", Group: fluxGroup})
	manager.SetConcurrency(4)
	return &kustomizations{manager: manager, name: name, inventory: map[int]object.ObjMetadataSet{}}
}

func (k *kustomizations) sync(ctx context.Context, objects commit) error {
	waves := map[int]commit{}
	for wave := range k.inventory {
		waves[wave] = nil
	}
	for _, object := range objects.copy() {
		wave, _ := strconv.Atoi(object.GetAnnotations()[waveAnnotation])
		waves[wave] = append(waves[wave], object)
	}
	for _, wave := range slices.Sorted(maps.Keys(waves)) {
		if err := k.reconcile(ctx, wave, waves[wave]); err != nil {
			return fmt.Errorf("the Kustomization of wave %d: %w", wave, err)
		}
	}
	return nil
}

// reconcile does what kustomize-controller does: reconcile, apply, prune and checkHealth in
// internal/controller/kustomization_controller.go.
func (k *kustomizations) reconcile(ctx context.Context, wave int, objects commit) error {
	owner := k.name + "-" + strconv.Itoa(wave)
	k.manager.SetOwnerLabels(objects, owner, "flux-system")
	if err := normalize.UnstructuredList(objects); err != nil {
		return err
	}
	options := ssa.DefaultApplyOptions()
	options.ForceSelector = map[string]string{fluxGroup + "/force": "enabled"}
	applied := ssa.NewChangeSet()
	if len(objects) > 0 {
		var err error
		if applied, err = k.manager.ApplyAllStaged(ctx, objects, options); err != nil {
			return err
		}
	}

	now := applied.ToObjMetadataSet()
	var stale []*unstructured.Unstructured
	for _, gone := range k.inventory[wave].Diff(now) {
		stale = append(stale, unstructuredOf(gone))
	}
	k.inventory[wave] = now
	if _, err := k.manager.DeleteAll(ctx, stale, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        k.manager.GetOwnerLabels(owner, "flux-system"),
	}); err != nil {
		return err
	}
	return k.manager.WaitForSetWithContext(ctx, now, ssa.WaitOptions{Interval: 5 * time.Second, Timeout: patience, FailFast: true})
}

// unstructuredOf is the object that an entry of the inventory is about.
func unstructuredOf(entry object.ObjMetadata) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(entry.GroupKind.WithVersion("v1alpha1"))
	o.SetNamespace(entry.Namespace)
	o.SetName(entry.Name)
	return o
}
