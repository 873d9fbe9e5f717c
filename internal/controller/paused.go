package controller

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/rollcall-dev/rollcall/api/v1alpha1"
)

// paused says whether a person stopped everything for the object.
func paused(object client.Object) bool {
	return object.GetAnnotations()[v1alpha1.PausedAnnotation] == "true"
}

// annotationChanges lets updates through that change one of the annotations.
func annotationChanges(annotations ...string) predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			for _, annotation := range annotations {
				if e.ObjectOld.GetAnnotations()[annotation] != e.ObjectNew.GetAnnotations()[annotation] {
					return true
				}
			}
			return false
		},
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}
