// Package controller has one reconciler a kind. Each observes, plans, applies and writes the status, in this
// order; I/O stays at the edges, and what to do is decided in package plan.
package controller
