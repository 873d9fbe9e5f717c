package openaitest

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const defaultPage = 20

// pageLimit reads limit, from 1 to most.
func pageLimit(query url.Values, most int) (int, *refusal) {
	text, given := lone(query, "limit")
	if !given {
		return defaultPage, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest("limit", "Invalid type for 'limit': expected an integer, but got %q instead.", text)
	}
	if limit < 1 || limit > most {
		return 0, badRequest("limit", "Invalid 'limit': expected a value from 1 to %d, but got %d instead.", most, limit)
	}
	return limit, nil
}

func lone(query url.Values, name string) (string, bool) {
	values, ok := query[name]
	if !ok || len(values) == 0 {
		return "", false
	}
	return values[0], true
}

// onlyParameters refuses parameters that the call does not have, and ones that are given twice.
func onlyParameters(query url.Values, known ...string) *refusal {
	for name, values := range query {
		if !slices.Contains(known, name) {
			return badRequest(name, "Unknown parameter: '%s'.", name)
		}
		if len(values) > 1 && !strings.HasSuffix(name, "[]") {
			return badRequest(name, "Parameter '%s' was given %d times.", name, len(values))
		}
	}
	return nil
}

// pageOf cuts a role list by limit, order and the cursor next.
func pageOf[T any](query url.Values, all []T, id func(T) string) (nextPage[T], *refusal) {
	page := nextPage[T]{Object: "list", Data: []T{}}
	if no := onlyParameters(query, "limit", "after", "order"); no != nil {
		return page, no
	}
	limit, no := pageLimit(query, 1000)
	if no != nil {
		return page, no
	}
	switch order, given := lone(query, "order"); {
	case given && order != "asc" && order != "desc":
		return page, badRequest("order", "Invalid 'order': expected one of 'asc' or 'desc', but got '%s' instead.", order)
	case order == "desc":
		all = slices.Clone(all)
		slices.Reverse(all)
	}
	start := 0
	if after, given := lone(query, "after"); given {
		last, err := base64.RawURLEncoding.DecodeString(after)
		at := slices.IndexFunc(all, func(item T) bool { return id(item) == string(last) })
		if err != nil || at < 0 {
			return page, badRequest("after", "Invalid cursor: '%s'.", after)
		}
		start = at + 1
	}
	end := min(start+limit, len(all))
	page.Data = append(page.Data, all[start:end]...)
	if end < len(all) {
		page.HasMore = true
		page.Next = orNull(base64.RawURLEncoding.EncodeToString([]byte(id(all[end-1]))))
	}
	return page, nil
}
