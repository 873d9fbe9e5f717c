package openai

import (
	"fmt"
	"strings"

	"github.com/openai/openai-go/v3/packages/respjson"
)

// shapeError says which field of an answer is not as the reference has it.
type shapeError struct{ fault string }

func (e *shapeError) Error() string { return e.fault }

// shape checks fields of an answer and keeps the first fault. The SDK decodes
// leniently: an array with one bad item becomes no items at all, and 1 is as
// good as true. Decisions to remove people need better.
type shape struct {
	// of names the thing that is checked, such as `user "user-1"`.
	of    string
	fault string
}

func (s *shape) mustf(holds bool, format string, args ...any) {
	if !holds && s.fault == "" {
		s.fault = fmt.Sprintf(format, args...) + " in " + s.of
	}
}

func (s *shape) err() error {
	if s.fault == "" {
		return nil
	}
	return &shapeError{fault: "the answer cannot be believed: " + s.fault}
}

// object: the field "object" is exactly want.
func (s *shape) object(f respjson.Field, want string) {
	s.mustf(f.Raw() == `"`+want+`"`, "object is not %q", want)
}

// text: a string that is not empty.
func (s *shape) text(name string, f respjson.Field) {
	s.mustf(isString(f) && f.Raw() != `""`, "%s is missing or not a string", name)
}

// id: the text of an ID.
func (s *shape) id(c *Client, name string, f respjson.Field, id string, most int) {
	s.text(name, f)
	s.mustf(len(id) <= most, "%s is longer than %d bytes", name, most)
	s.noKey(c, name, id)
}

// noKey: a text in which nothing can be cut out, since it says who or what is meant.
func (s *shape) noKey(c *Client, name, text string) {
	s.mustf(c.withoutKey(text) == text, "%s has the admin key", name)
}

// cursor: a short string, null or absent.
func (s *shape) cursor(name string, f respjson.Field, value string) {
	s.optionalText(name, f)
	s.mustf(len(value) <= maxIDLength, "%s is longer than %d bytes", name, maxIDLength)
}

// optionalText: a string, null or absent.
func (s *shape) optionalText(name string, f respjson.Field) {
	s.mustf(isUnset(f) || isString(f), "%s is not a string", name)
}

// flag: true or false.
func (s *shape) flag(name string, f respjson.Field) {
	s.mustf(isBool(f), "%s is missing or not true or false", name)
}

// optionalFlag: true, false, null or absent.
func (s *shape) optionalFlag(name string, f respjson.Field) {
	s.mustf(isUnset(f) || isBool(f), "%s is not true or false", name)
}

// number: a number.
func (s *shape) number(name string, f respjson.Field) {
	raw := f.Raw()
	s.mustf(f.Valid() && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'), "%s is missing or not a number", name)
}

// list: an array whose every item was decoded.
func (s *shape) list(name string, f respjson.Field) {
	s.mustf(f.Valid() && f.Raw()[0] == '[', "%s is missing, not a list, or has an item of another kind", name)
}

// optionalList: as list, null or absent.
func (s *shape) optionalList(name string, f respjson.Field) {
	if !isUnset(f) {
		s.list(name, f)
	}
}

// maxText bounds, in bytes, what is kept of a text that decides nothing beyond what
// a manifest may say. An e-mail address, for one, is never so long.
const maxText = 1024

// kept is a copy of a text without the key, cut if it is too long. It lets the
// page go that the text came in.
func (c *Client) kept(text string) string {
	text = c.withoutKey(text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return strings.Clone(text)
}

func isUnset(f respjson.Field) bool {
	return f.Raw() == respjson.Omitted || f.Raw() == respjson.Null
}

func isString(f respjson.Field) bool { return f.Valid() && f.Raw()[0] == '"' }

func isBool(f respjson.Field) bool {
	return f.Valid() && (f.Raw() == "true" || f.Raw() == "false")
}

// convert gives all items converted, or none.
func convert[W, T any](wire []W, from func(*W) (T, error)) ([]T, error) {
	items := make([]T, 0, len(wire))
	for i := range wire {
		item, err := from(&wire[i])
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}
