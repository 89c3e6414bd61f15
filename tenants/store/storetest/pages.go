package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"carillon/tenants"
	"carillon/tenants/store"
)

// listed is a list under test: its sort keys, and a page of it as the values of its rows' keys.
type listed struct {
	name  string
	sorts []store.Sort
	page  func(store.Page) (ids []string, next string, err error)
	total func(store.Page) (store.Total, error)
	value func(id string, key store.Sort) any // what the row is sorted by; int64 or string
}

// pagesOf makes a listed of a list of the store.
func pagesOf[T any](name string, sorts []store.Sort, page func(store.Page) ([]T, string, error),
	value func(T, store.Sort) any, id func(T) string) listed {
	seen := map[string]T{}
	return listed{name: name, sorts: sorts, page: func(p store.Page) (ids []string, next string, err error) {
		rows, next, err := page(p)
		for _, r := range rows {
			seen[id(r)] = r
			ids = append(ids, id(r))
		}
		return ids, next, err
	}, value: func(id string, key store.Sort) any { return value(seen[id], key) }}
}

func lists(ctx context.Context, s *store.Scope) []listed {
	all := []listed{
		pagesOf("Agents", []store.Sort{"created", "name", "kind"}, func(p store.Page) ([]tenants.Agent, string, error) {
			return s.Agents().List(ctx, p)
		}, func(a tenants.Agent, key store.Sort) any {
			return map[store.Sort]any{"created": a.CreatedAt.UnixMicro(), "name": strings.ToLower(a.Name), "kind": string(a.Kind)}[key]
		}, func(a tenants.Agent) string { return string(a.ID) }),
		pagesOf("Keys", []store.Sort{"created", "name", "used"}, func(p store.Page) ([]tenants.Key, string, error) {
			return s.Keys().List(ctx, p)
		}, func(k tenants.Key, key store.Sort) any {
			return map[store.Sort]any{"created": k.CreatedAt.UnixMicro(), "name": strings.ToLower(k.Name),
				"used": k.LastUsedAt.UnixMicro()}[key]
		}, func(k tenants.Key) string { return string(k.ID) }),
		pagesOf("Credentials", []store.Sort{"created", "app", "state", "used", "environment"}, func(p store.Page) (
			[]tenants.Credential, string, error) {
			return s.Credentials().List(ctx, p)
		}, func(c tenants.Credential, key store.Sort) any {
			return map[store.Sort]any{"created": c.CreatedAt.UnixMicro(), "app": strings.ToLower(c.Bundle), "state": string(c.State),
				"used": c.LastUsedAt.UnixMicro(), "environment": string(c.Environment)}[key]
		}, func(c tenants.Credential) string { return string(c.ID) }),
		pagesOf("Devices", []store.Sort{"created", "name", "seen", "person"}, func(p store.Page) ([]tenants.Device, string, error) {
			return s.Devices().List(ctx, store.DeviceQuery{}.At(p))
		}, func(d tenants.Device, key store.Sort) any {
			return map[store.Sort]any{"created": d.CreatedAt.UnixMicro(), "name": strings.ToLower(d.Title()),
				"seen": d.SeenAt.UnixMicro(), "person": d.Person}[key]
		}, func(d tenants.Device) string { return string(d.ID) }),
		pagesOf("Rings", []store.Sort{"created"}, func(p store.Page) ([]*tenants.Ring, string, error) {
			return s.Rings().List(ctx, store.RingQuery{}.At(p))
		}, func(r *tenants.Ring, _ store.Sort) any { return r.CreatedAt.UnixMicro() },
			func(r *tenants.Ring) string { return string(r.ID) }),
		pagesOf("Consents", []store.Sort{"created", "person", "given"}, func(p store.Page) ([]tenants.Agreement, string, error) {
			return s.Consents().List(ctx, store.ConsentQuery{Page: p})
		}, func(a tenants.Agreement, key store.Sort) any {
			return map[store.Sort]any{"created": a.CreatedAt.UnixMicro(), "person": a.Person, "given": a.GivenAt.UnixMicro()}[key]
		}, func(a tenants.Agreement) string { return string(a.ID) }),
		pagesOf("Groups", []store.Sort{"created", "name", "way"}, func(p store.Page) ([]tenants.Group, string, error) {
			return s.Groups().List(ctx, p)
		}, func(g tenants.Group, key store.Sort) any {
			return map[store.Sort]any{"created": g.CreatedAt.UnixMicro(), "name": strings.ToLower(g.Name), "way": string(g.Way)}[key]
		}, func(g tenants.Group) string { return string(g.ID) }),
		pagesOf("Members", []store.Sort{"created", "name", "role"}, func(p store.Page) ([]tenants.Member, string, error) {
			return s.Members().List(ctx, p)
		}, func(m tenants.Member, key store.Sort) any {
			return map[store.Sort]any{"created": m.CreatedAt.UnixMicro(), "name": strings.ToLower(m.Name), "role": string(m.Role)}[key]
		}, func(m tenants.Member) string { return string(m.User) }),
		pagesOf("Alerts", []store.Sort{"last", "first", "kind"}, func(p store.Page) ([]tenants.Alert, string, error) {
			return s.Alerts().Find(ctx, store.AlertQuery{}.At(p))
		}, func(a tenants.Alert, key store.Sort) any {
			return map[store.Sort]any{"last": a.LastAt.UnixMicro(), "first": a.FirstAt.UnixMicro(), "kind": string(a.Kind)}[key]
		}, func(a tenants.Alert) string { return string(a.Kind) + a.Target }),
		pagesOf("Audits", []store.Sort{"created"}, func(p store.Page) ([]tenants.Audit, string, error) {
			return s.Audits().List(ctx, store.AuditQuery{Action: "device."}.At(p))
		}, func(a tenants.Audit, _ store.Sort) any { return a.Seq }, func(a tenants.Audit) string { return fmt.Sprint(a.Seq) }),
	}
	for i := range all {
		all[i].total = totals(ctx, s)[all[i].name+".Total"]
	}
	return all
}

// testPages walks every list in every order in pages of two, and back again: each row once, in the
// order of one big page.
func testPages(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	for i := range 5 {
		b.must(s.Agents().Add(ctx, b.newAgent()))
		b.must(s.Keys().Add(ctx, b.newKey(), hashOf(b.next())))
		b.credential(s)
		d := b.device(s, "")
		b.ring(s, d)
		b.member(s, tenants.Owner)
		b.must(s.Consents().Add(ctx, tenants.Agreement{ID: tenants.NewID[tenants.ConsentID](b.clock.Now()), Person: fmt.Sprint("p", i%3),
			Kind: tenants.AgreedCalls, GivenAt: b.clock.Now().AddDate(0, 0, -i%2), Evidence: "Form 7", CreatedAt: b.clock.Now()}))
		b.must(s.Groups().Add(ctx, tenants.Group{ID: tenants.NewID[tenants.GroupID](b.clock.Now()), Name: fmt.Sprint("G", i%2),
			Way: tenants.Ways[i%3], StepSeconds: 20, CreatedAt: b.clock.Now(), Members: []tenants.GroupMember{{Person: "ana"}}}))
		_, err := s.Alerts().Raise(ctx, tenants.AlertPhone, string(d.ID), "silent")
		b.must(err)
		if i%2 == 0 { // two and three rows that are alike but for their ids
			b.clock.add(1)
		}
	}
	for _, l := range lists(ctx, s) {
		for _, key := range append(l.sorts, "") {
			testOrder(b, l, key)
			testOrder(b, l, "-"+key)
		}
		_, _, err := l.page(store.Page{Sort: "color"})
		b.refused(err, tenants.Invalid, l.name+": a sort key that is none")
		for _, garbage := range []string{
			"x", "%", "bm9uc2Vuc2U", strings.Repeat("A", 1400), "MTIgJyBPUiAxPTE", "WyItY3JlYXRlZCIsImEiXQ", "W10",
		} {
			_, _, err := l.page(store.Page{After: garbage, Limit: 2})
			b.refused(err, tenants.Invalid, l.name+": the cursor "+garbage)
			_, _, err = l.page(store.Page{Upto: garbage, Limit: 2})
			b.refused(err, tenants.Invalid, l.name+": the cursor "+garbage)
		}
		some, _, err := l.page(store.Page{Limit: -3})
		b.must(err)
		t, err := l.total(store.Page{})
		b.must(err)
		equal(b, int(t.N), len(some), l.name+": total")
		equal(b, t.More, false, l.name+": more than the total")
	}
}

func testOrder(b *bench, l listed, sort store.Sort) {
	if sort == "-" {
		return
	}
	name := l.name + " by " + string(sort)
	all, next, err := l.page(store.Page{Sort: sort})
	b.must(err)
	equal(b, next, "", name+": next at the end")
	if len(all) < 5 {
		b.Errorf("%s: %d rows", name, len(all))
	}
	key, down := strings.CutPrefix(string(sort), "-")
	if key == "" {
		key, down = string(l.sorts[0]), true
	}
	for i := range len(all) - 1 {
		if order := compare(l.value(all[i], store.Sort(key)), l.value(all[i+1], store.Sort(key))); order > 0 != down && order != 0 {
			b.Errorf("%s: %v before %v", name, l.value(all[i], store.Sort(key)), l.value(all[i+1], store.Sort(key)))
		}
	}
	walked, cursors := []string{}, []string{}
	for after, more := "", true; more; more = after != "" {
		part, next, err := l.page(store.Page{Sort: sort, After: after, Limit: 2})
		b.must(err)
		walked, after = append(walked, part...), next
		if next != "" {
			cursors = append(cursors, next)
		}
	}
	if !slices.Equal(walked, all) {
		b.Errorf("%s: in pages %v, at once %v", name, walked, all)
	}
	walked = walked[:0]
	for upto := cursors[len(cursors)-1]; upto != ""; {
		part, next, err := l.page(store.Page{Sort: sort, Upto: upto, Limit: 2})
		b.must(err)
		walked, upto = append(part, walked...), next
		if cursors = cursors[:len(cursors)-1]; len(cursors) > 0 {
			equal(b, upto, cursors[len(cursors)-1], name+": the cursor on the way back")
		}
	}
	if !slices.Equal(walked, all[:len(walked)]) || len(walked) < len(all)-2 {
		b.Errorf("%s: backwards %v, at once %v", name, walked, all)
	}
}

func compare(a, b any) int {
	if n, ok := a.(int64); ok {
		return cmp.Compare(n, b.(int64))
	}
	return strings.Compare(a.(string), b.(string))
}
