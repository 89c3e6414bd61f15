package store

import (
	"strings"

	"carillon/tenants"
)

// marks is a list of n places in a statement, its length rounded up to a power of two, so that few
// statements are prepared.
func marks(n int) string { return "?" + strings.Repeat(", ?", room(n)-1) }

func room(n int) int {
	size := 1
	for size < n {
		size *= 2
	}
	return size
}

// some are the arguments behind marks; the last id fills the places that are left.
func some[T ~string](t tenants.TenantID, ids []T) []any {
	args := []any{uuid(t)}
	for i := range room(len(ids)) {
		args = append(args, known(ids[min(i, len(ids)-1)]))
	}
	return args
}

// known is the id, or one that no row has where it is no UUID: in a list it names nothing and
// spoils nothing.
func known[T ~string](id T) uuid {
	if _, ok := uuid(id).bytes(); !ok {
		return nilUUID
	}
	return uuid(id)
}
