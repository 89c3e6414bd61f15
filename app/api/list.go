package api

import (
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

const (
	defaultLimit = 50
	maxLimit     = 200
)

// list is one page of a list.
type list[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next"`
}

// listOf makes a page from rows; an empty one is an empty list, not null.
func listOf[R, T any](rows []R, next string, show func(R) T) list[T] {
	out := list[T]{Data: make([]T, 0, len(rows)), Next: opt(next)}
	for _, r := range rows {
		out.Data = append(out.Data, show(r))
	}
	return out
}

// filter reads a query and collects its faults, so that all are reported at once.
type filter struct {
	c      *fiber.Ctx
	faults []tenants.Field
}

func (f *filter) fault(name, message string) {
	f.faults = append(f.faults, tenants.Field{Name: name, Message: message})
}

func (f *filter) err() error { return invalid(f.faults, "Please correct the query parameters below.") }

func (f *filter) limit() int {
	s := web.Query(f.c, "limit")
	if s == "" {
		return defaultLimit
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		f.fault("limit", "1 to 200")
	}
	return n
}

// text is free text of at most 100 characters.
func (f *filter) text(name string) string {
	s := strings.TrimSpace(web.Query(f.c, name))
	if !tenants.ValidText(s, 0, 100) {
		f.fault(name, "at most 100 characters, no control characters")
	}
	return s
}

// cursor is the end of the previous page. The store parses it; here only its length is limited.
func (f *filter) cursor() string {
	s := web.Query(f.c, "after")
	if len(s) > 200 {
		f.fault("after", "the next of the page before")
	}
	return s
}

// time is a point in time; zero when absent.
func (f *filter) time(name string) time.Time {
	s := web.Query(f.c, name)
	if s == "" {
		return time.Time{}
	}
	t, ok := moment(s)
	if !ok {
		f.fault(name, "a time such as 2026-11-24T08:00:00Z")
	}
	return t
}

// oneOf is one of these words; empty when absent.
func (f *filter) oneOf(name string, words ...string) string {
	s := web.Query(f.c, name)
	if s == "" {
		return ""
	}
	all := ""
	for i, w := range words {
		if w == s {
			return s
		}
		if i > 0 {
			all += ", "
		}
		all += w
	}
	f.fault(name, "one of "+all)
	return ""
}

// queryID is an id in the query; empty when absent.
func queryID[T ~string](f *filter, name string) T {
	s := web.Query(f.c, name)
	if s == "" {
		return ""
	}
	id, ok := tenants.ParseID[T](s)
	if !ok {
		f.fault(name, "an id: a UUID")
	}
	return id
}

// moment parses RFC 3339, within the years that the databases support.
func moment(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

func invalid(faults []tenants.Field, msg string) error {
	if len(faults) == 0 {
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: msg, Fields: faults}
}
