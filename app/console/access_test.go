package console

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// goes visits an address as b, with the ids of t.
func (v visit) goes(b *pagetest.Browser, method, pattern string, t *tenant) pagetest.Answer {
	path := pattern
	if v.path != nil {
		path = v.path(t)
	}
	switch {
	case v.endless:
		return b.Peek(path)
	case v.file != nil:
		kind, body := v.file(t)
		return b.Send(method, path, kind, body)
	case v.form != nil:
		return b.Post(path, v.form(t))
	}
	return b.Send(method, path, "", "")
}

// addresses are the routes that were mounted, as "GET /path".
func (h *server) addresses() (out []string) {
	for _, r := range h.App.GetRoutes(true) {
		if r.Method != "HEAD" && !strings.Contains(strings.Join(out, "\n")+"\n", r.Method+" "+r.Path+"\n") {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

func TestIsolationKnowsEveryRoute(t *testing.T) {
	t.Parallel()
	h := open(t)
	seen := map[string]bool{}
	for _, a := range h.addresses() {
		seen[a] = true
		v, ok := visits[a]
		if !ok {
			t.Errorf("%s is not in visits: say who may come, and with which ids a stranger would try", a)
		}
		if needs := h.needs()[a]; strings.HasSuffix(string(needs), ":write") != (v.access == editors) {
			t.Errorf("%s needs %q, and visits says otherwise", a, needs)
		}
	}
	for a := range visits {
		if !seen[a] {
			t.Errorf("%s is in visits and is not mounted", a)
		}
	}
}

func TestTenantIsolation(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.full("alpha", "Alpha"), h.full("beta", pagetest.Canary)
	b.keyed()
	people := map[tenants.Role]tenants.User{tenants.Viewer: b.viewer()}
	for _, r := range tenants.Roles[:len(tenants.Roles)-1] {
		people[r] = b.Person(r)
	}
	closed := h.full("closed", "Closed")
	suspended, err := closed.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	suspended.State = tenants.TenantSuspended
	pagetest.Must(t, closed.Scope().SetTenant(t.Context(), suspended))
	ofFed(b)
	ofTwin(b)
	before := h.Dump(b.Id)
	actors := []struct {
		name string
		as   func() *pagetest.Browser
		want func(v visit, method string, status int) bool
	}{
		{"anonymous", h.Browser, func(v visit, _ string, status int) bool {
			return v.access == public || status == 303 || status == 401
		}},
		{"the owner of another tenant", func() *pagetest.Browser { return a.Quick(a.Owner) },
			func(v visit, _ string, status int) bool { return !v.owned || status == 404 }},
		{"the owner of a suspended tenant", func() *pagetest.Browser { return closed.Quick(closed.Owner) },
			func(v visit, _ string, status int) bool {
				return v.access == public || v.access == wayOut || status == 403
			}},
	}
	for _, who := range actors {
		for address, v := range visits {
			method, pattern, _ := strings.Cut(address, " ")
			res := v.goes(who.as(), method, pattern, b)
			if !who.want(v, method, res.StatusCode) || res.StatusCode >= 500 {
				t.Errorf("%s, %s: %d", who.name, address, res.StatusCode)
			}
			if v.access == public && res.StatusCode == 303 && strings.Contains(res.Header.Get("Location"), "next=") {
				t.Errorf("%s, %s is sent to sign in", who.name, address)
			}
			res.Lacks("CANARY", string(b.Id))
			file := strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment")
			if !file && !strings.HasPrefix(res.Header.Get("Content-Type"), "audio/") {
				res.Lacks("<img src=x")
			}
		}
	}
	rolesKeepTo(t, h, b, people)
	if after := withoutRefusals(h.Dump(b.Id)); after != before {
		t.Errorf("a stranger, or a role that may not, changed something:\n%s", diff(before, after))
	}
}

// withoutRefusals leaves out what records that somebody was refused.
func withoutRefusals(dump string) string {
	lines := slices.DeleteFunc(strings.SplitAfter(dump, "\n"), func(l string) bool {
		return strings.Contains(l, "access.refuse") || strings.HasPrefix(l, "audit_repeats")
	})
	return strings.Join(lines, "")
}

// rolesKeepTo visits every address as every role: 403 exactly where the role lacks what the route
// needs. What a role may change is left alone here; TestEditorsMayPost changes it.
func rolesKeepTo(t *testing.T, h *server, b *tenant, people map[tenants.Role]tenants.User) {
	needs := h.needs()
	for role, user := range people {
		for address, v := range visits {
			method, pattern, _ := strings.Cut(address, " ")
			may := needs[address] == "" || role.May(needs[address])
			if may && (v.recorded || method == "POST" && needs[address] != "") {
				continue
			}
			if res := v.goes(b.Quick(user), method, pattern, b); (res.StatusCode == 403) == may || res.StatusCode >= 500 {
				t.Errorf("%s, %s, which needs %q: %d", role, address, needs[address], res.StatusCode)
			}
		}
	}
}

// needs is what each address needs, as the route table has it.
func (h *server) needs() map[string]tenants.Permission {
	all := map[string]tenants.Permission{}
	for _, r := range h.k.routes() {
		all[r.method+" "+r.path] = r.needs
	}
	return all
}

// TestEveryAddressNeedsAPermission: a route for which nobody chose a permission fails here.
func TestEveryAddressNeedsAPermission(t *testing.T) {
	t.Parallel()
	everyones := []string{"POST /signout", "POST /signout/look", "POST /tenant", "GET /palette", "GET /overview", "GET /people/roles",
		"POST /people/roles/preview"} // no role keeps somebody from these
	h := open(t)
	used := map[tenants.Permission]bool{tenants.OwnersWrite: true} // asked for by mayRank
	for _, p := range tenants.Scopes() {
		used[p] = true
	}
	for _, r := range h.k.routes() {
		used[r.needs] = true
		address := r.method + " " + r.path
		own := strings.HasPrefix(r.path, "/account") || strings.HasPrefix(r.path, "/lists/") // of the person
		if r.member != nil && (r.needs == "") != (own || slices.Contains(everyones, address)) {
			t.Errorf("%s needs %q: give it a permission of tenants.Grants, or name it here if every role may", address, r.needs)
		}
		if r.needs != "" && r.needs.Does() == "" {
			t.Errorf("%s needs %q, which is not in tenants.Grants", address, r.needs)
		}
	}
	for _, g := range tenants.Grants {
		if !used[g.Permission] && !strings.HasPrefix(string(g.Permission), "billing:") {
			t.Errorf("%s is promised to roles, and nothing asks for it", g.Permission)
		}
	}
}

// diff lists the lines that only one of the two has.
func diff(a, b string) string {
	var out []string
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		for line := range strings.SplitSeq(pair[0], "\n") {
			if !strings.Contains("\n"+pair[1]+"\n", "\n"+line+"\n") {
				out = append(out, page.Clip(line, 300))
			}
		}
	}
	return strings.Join(out, "\n")
}

// TestEditorsMayPost shows that the forms of visits change something when an editor sends them:
// otherwise TestTenantIsolation would prove nothing.
func TestEditorsMayPost(t *testing.T) {
	t.Parallel()
	h := open(t)
	for address, v := range visits {
		method, pattern, _ := strings.Cut(address, " ")
		if v.access != editors || method != "POST" || v.file != nil {
			continue
		}
		h.Serial++
		b := h.full("t"+strconv.Itoa(h.Serial), "Beta")
		b.viewer()
		editor := b.Owner
		if tenants.Admin.May(h.needs()[address]) {
			editor = b.Person(tenants.Admin)
		}
		w := b.Quick(editor)
		before := h.Dump(b.Id)
		if v.refused > 0 {
			if res := v.goes(w, method, pattern, b); res.StatusCode != v.refused || h.Dump(b.Id) != before {
				t.Errorf("%s: %d, want %d and no change", address, res.StatusCode, v.refused)
			}
			continue
		}
		if res := v.goes(w, method, pattern, b); res.StatusCode != 303 && res.StatusCode != 200 {
			t.Errorf("%s: %d\n%s", address, res.StatusCode, page.Clip(res.Body, 800))
		}
		same := []string{"POST /checklist", "POST /rings/bulk", "POST /rings/:id/cancel", "POST /connections/:id/resume"}
		if h.Dump(b.Id) == before &&
			!slices.Contains(same, address) {
			t.Errorf("%s changed nothing for an administrator", address)
		}
	}
}

func TestGETWritesNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	b.keyed()
	b.viewer()
	ofTwin(b)
	w := b.Quick(b.Owner)
	before := h.Dump("")
	for address, v := range visits {
		if method, pattern, _ := strings.Cut(address, " "); method == "GET" && v.access != public && !v.recorded {
			if res := v.goes(w, method, pattern, b); res.StatusCode != 200 && res.StatusCode != 204 && res.StatusCode != v.refused {
				t.Errorf("%s: %d", address, res.StatusCode)
			}
		}
	}
	if after := h.Dump(""); after != before {
		t.Errorf("a GET wrote:\n%s", diff(before, after))
	}
}

func TestCrossSitePostsAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	b.viewer()
	ofFed(b)
	ofTwin(b)
	w := b.Quick(b.Owner)
	before := h.Dump("")
	for address, v := range visits {
		method, pattern, _ := strings.Cut(address, " ")
		if method != "POST" {
			continue
		}
		for _, headers := range []map[string]string{
			{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
		} {
			w.Headers = headers
			if res := v.goes(w, method, pattern, b); res.StatusCode != 403 || len(res.Cookies()) > 0 {
				t.Errorf("%s with %v: %d", address, headers, res.StatusCode)
			}
		}
	}
	if after := h.Dump(""); after != before {
		t.Errorf("a post from another site wrote:\n%s", diff(before, after))
	}
}

// TestUnknownAndForeignIDsAreAnsweredAlike: neither tells that something is there.
func TestUnknownAndForeignIDsAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.full("alpha", "Alpha"), h.full("beta", pagetest.Canary)
	w := a.Quick(a.Owner)
	for _, p := range []struct{ path, id string }{
		{"/rings/", string(b.ring)}, {"/devices/", string(b.device)}, {"/credentials/", string(b.credential)},
		{"/agents/", string(b.agent)}, {"/connections/", string(b.connection)},
	} {
		foreign := w.Get(p.path + p.id).Want(404)
		unknown := w.Get(p.path + tenants.NewRandomID()).Want(404)
		garbage := w.Get(p.path + "nothing").Want(404)
		strip := func(x pagetest.Answer) string {
			for _, id := range between(x.Body, `data-copy="`, `"`) {
				x.Body = strings.ReplaceAll(x.Body, id, "")
			}
			return x.Body
		}
		if strip(foreign) != strip(unknown) || strip(foreign) != strip(garbage) {
			t.Errorf("%s: a foreign id differs from an unknown one", p.path)
		}
	}
	// Filters by foreign ids find nothing.
	w.Get("/rings?device=" + string(b.device)).Want(200).Has("No matches").Lacks("CANARY")
	w.Get("/devices?q=CANARY").Want(200).Has("No matches")
	w.Get("/rings?agent=" + string(b.agent)).Want(200).Lacks("CANARY")
}
