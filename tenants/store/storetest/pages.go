package storetest

import (
	"fmt"
	"slices"
	"strings"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testPages walks every list in pages of two: each row once, in the order of one big page.
func testPages(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	for range 5 {
		b.must(s.Agents().Add(ctx, b.newAgent()))
		b.must(s.Keys().Add(ctx, b.newKey(), hashOf(b.next())))
		b.credential(s)
		b.ring(s, b.device(s, ""))
		b.member(s, tenants.Owner)
	}
	lists := map[string]func(after string, limit int) ([]string, string, error){
		"agents": func(after string, n int) ([]string, string, error) {
			return ids(s.Agents().List(ctx, store.Page{After: after, Limit: n}))(func(a tenants.Agent) any { return a.ID })
		},
		"keys": func(after string, n int) ([]string, string, error) {
			return ids(s.Keys().List(ctx, store.Page{After: after, Limit: n}))(func(k tenants.Key) any { return k.ID })
		},
		"credentials": func(after string, n int) ([]string, string, error) {
			return ids(s.Credentials().List(ctx, store.Page{After: after, Limit: n}))(func(c tenants.Credential) any { return c.ID })
		},
		"devices": func(after string, n int) ([]string, string, error) {
			return ids(s.Devices().List(ctx, store.DeviceQuery{After: after, Limit: n}))(func(d tenants.Device) any { return d.ID })
		},
		"rings": func(after string, n int) ([]string, string, error) {
			return ids(s.Rings().List(ctx, store.RingQuery{After: after, Limit: n}))(func(r *tenants.Ring) any { return r.ID })
		},
		"members": func(after string, n int) ([]string, string, error) {
			return ids(s.Members().List(ctx, store.Page{After: after, Limit: n}))(func(m tenants.Member) any { return m.User })
		},
		"audits": func(after string, n int) ([]string, string, error) {
			return ids(s.Audits().List(ctx, store.AuditQuery{After: after, Limit: n}))(func(a tenants.Audit) any { return a.Seq })
		},
	}
	for name, list := range lists {
		all, next, err := list("", 0)
		b.must(err)
		equal(b, next, "", name+": next at the end")
		if len(all) < 5 {
			b.Errorf("%s: %d rows", name, len(all))
		}
		walked := []string{}
		for after, more := "", true; more; more = after != "" {
			part, next, err := list(after, 2)
			b.must(err)
			walked = append(walked, part...)
			after = next
		}
		if !slices.Equal(walked, all) {
			b.Errorf("%s: in pages %v, at once %v", name, walked, all)
		}
		for _, garbage := range []string{"x", "%", "bm9uc2Vuc2U", strings.Repeat("A", 400), "MTIgJyBPUiAxPTE"} {
			_, _, err := list(garbage, 2)
			b.refused(err, tenants.Invalid, name+": the cursor "+garbage)
		}
		some, _, err := list("", -3)
		b.must(err)
		equal(b, len(some), len(all), name+": a negative limit")
	}
}

func ids[T any](rows []T, next string, err error) func(func(T) any) ([]string, string, error) {
	return func(id func(T) any) ([]string, string, error) {
		out := make([]string, len(rows))
		for i := range rows {
			out[i] = fmt.Sprint(id(rows[i]))
		}
		return out, next, err
	}
}
