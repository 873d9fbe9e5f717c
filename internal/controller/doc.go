// Package controller has one reconciler a kind. It writes down what must be remembered, says of each object what the plan
// says of it, and lets objects go. It calls no organization.
package controller
