package plan

import "strings"

// Key names a user by ID or by email. Emails are compared in lower case.
type Key struct {
	ID, Email string
}

// IDKey is the Key of a user's ID.
func IDKey(id string) Key { return Key{ID: id} }

// EmailKey is the Key of an address, without regard to case.
func EmailKey(email string) Key { return Key{Email: Fold(email)} }

// Fold is an address as it is compared.
func Fold(email string) string { return strings.ToLower(email) }
