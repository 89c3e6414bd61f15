package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
)

func TestPeopleChooseColumns(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/rings").Want(200).Has(">Caller</th>", ">Agent</th>").Lacks(">Apple</th>")
	w.Post("/lists/columns", url.Values{"list": {"rings"}, "column": {"apple", "caller", "made-up"},
		"place": {"?state=failed&cols=agent"}}).Leads("/rings?state=failed")
	w.Get("/rings").Want(200).Has(">Caller</th>", ">Apple</th>", "/rings.csv?cols=caller%2Capple").Lacks(">Agent</th>")
	head := func(path string) string { return strings.SplitN(w.Get(path).Want(200).Body, "\r\n", 2)[0] }
	want := "id,state,to,caller,test,placed_at,ended_at,apple_status,apple_reason"
	if got := head("/rings.csv?cols=caller,apple"); got != want {
		t.Errorf("the file has %s, want %s", got, want)
	}
	if got := head("/rings.csv"); !strings.Contains(got, "agent") || !strings.Contains(got, "call_seconds") {
		t.Errorf("a file without chosen columns has %s", got)
	}
	b.Quick(b.viewer()).Get("/rings").Want(200).Has(">Agent</th>") // each person has their own
	w.Get("/rings?cols=reference").Want(200).Has(">Reference</th>").Lacks(">Caller</th>")
	w.Post("/lists/columns", url.Values{"list": {"rings"}, "standard": {"1"}, "column": {"apple"}}).Leads("/rings")
	w.Get("/rings").Want(200).Has(">Agent</th>").Lacks(">Apple</th>")
}

func TestSavedViews(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w, viewer := b.Quick(b.Owner), b.Quick(b.viewer())
	save := func(b *pagetest.Browser, name, shared string) {
		t.Helper()
		b.Post("/lists/views", url.Values{"list": {"rings"}, "name": {name}, "shared": {shared},
			"place": {"?state=missed&after=x&row=50&agent="}}).Leads("/rings?state=missed")
	}
	save(w, "Missed today", "1")
	save(w, "Mine alone", "")
	save(viewer, "Of a viewer", "1") // who may not share, saves for themselves
	w.Get("/rings").Want(200).Has("Missed today", "Mine alone", `href="/rings?state=missed"`).Lacks("Of a viewer")
	viewer.Get("/rings").Want(200).Has("Missed today", "Of a viewer").Lacks("Mine alone")
	w.Get("/devices").Want(200).Lacks("Missed today")
	w.Post("/lists/views", url.Values{"list": {"rings"}, "name": {" "}}).Want(400).Has("name")
	w.Post("/lists/views", url.Values{"list": {"rings"}, "name": {"x"}, "place": {"?a=%zz"}}).Want(400)

	kept, err := b.Scope().Lists().Kept(t.Context(), b.Owner.ID, "rings")
	pagetest.Must(t, err)
	for _, v := range kept.Views {
		remove := "/lists/views/" + string(v.ID) + "/remove"
		viewer.Post(remove, url.Values{}).Want(map[bool]int{true: 403, false: 404}[v.Shared])
		w.Get(remove).Want(200).Has("Remove the view")
		w.Post(remove, url.Values{}).Leads("/rings")
	}
	w.Get("/rings").Want(200).Lacks("Missed today", "Mine alone")
}

func TestListsNarrowToDays(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w, today := b.Quick(b.Owner), h.Clock.Now().UTC().Format("2006-01-02")
	for _, x := range []struct {
		query string
		found bool
	}{
		{"?period=today", true}, {"?period=yesterday", false}, {"?period=this-month", true}, {"?period=last-month", false},
		{"?period=days", true}, {"?from=" + today, true}, {"?from=" + today + "&to=" + today, true}, {"?to=2020-01-01", false},
	} {
		page := w.Get("/rings" + x.query).Want(200)
		if got := strings.Contains(page.Body, string(b.ring)); got != x.found {
			t.Errorf("%s found %v, want %v", x.query, got, x.found)
		}
		if strings.Contains(x.query, "to=") {
			page.Has(`type="date"`, `value="days" selected`)
		}
	}
	w.Get("/rings?from=2026-02-30").Want(400)
	w.Get("/rings?from=2026-02-03&to=2026-02-01").Want(400)
	w.Get("/audit?from=" + today).Want(200)
}

func TestSeveralRowsAtOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	b, other := h.full("beta", "Beta"), h.full("alpha", "Alpha")
	w := b.Quick(b.Owner)
	two := "&id=" + string(b.device) + "&id=" + string(b.dead) + "&id=" + string(other.device)
	w.Get("/devices").Want(200).Has(`action="/devices/bulk"`, `name="id" value="`+string(b.device)+`" form="bulk"`)
	b.Quick(b.viewer()).Get("/devices").Want(200).Lacks("/devices/bulk")
	w.Get("/devices/bulk?do=remove").Want(422).Has("No row is selected")
	w.Get("/devices/bulk?do=tag&tag=+&id=" + string(b.device)).Want(422).Has("Type a tag")
	w.Get("/devices/bulk?do=melt" + two).Want(404)

	w.Get("/devices/bulk?do=tag&tag=north+wing" + two).Want(200).Has("Give 2 devices the tag “north wing”?")
	w.Post("/devices/bulk?do=tag&tag=north+wing"+two, url.Values{}).Leads("/devices")
	w.Get("/devices?tag=north+wing").Want(200).Has(string(b.device), string(b.dead), "north wing")
	w.Get("/devices?tag=south").Want(200).Lacks(string(b.device))
	w.Get("/devices.csv").Want(200).Has("north wing")
	w.Post("/devices/bulk?do=untag&tag=north+wing&id="+string(b.dead), url.Values{}).Leads("/devices")
	w.Get("/devices?tag=north+wing").Want(200).Has(string(b.device)).Lacks(string(b.dead))
	w.Post("/devices/"+string(b.device), url.Values{"name": {"x"}, "tags": {" south, east ,south"}, "environment": {"auto"}}).Want(303)
	w.Get("/devices/" + string(b.device)).Want(200).Has(`value="east, south"`)
	w.Post("/devices/"+string(b.device), url.Values{"name": {"x"}, "tags": {strings.Repeat("y", 41)}, "environment": {"auto"}}).
		Want(400).Has("1 to 40 characters")

	w.Get("/devices?health=silent").Want(200).Lacks(string(b.device))
	h.Clock.Pass(8 * 24 * time.Hour)
	w = b.Quick(b.Owner)
	w.Get("/devices?health=silent").Want(200).Has(string(b.device)).Lacks(string(b.dead))

	w.Get("/devices/bulk?do=remove"+two).Want(200).Has("Remove 2 devices?", "Past rings stay")
	w.Post("/devices/bulk?do=remove"+two, url.Values{}).Leads("/devices")
	w.Get("/devices").Want(200).Lacks(string(b.device), string(b.dead))
	other.Quick(other.Owner).Get("/devices").Want(200).Has(string(other.device))

	w.Get("/keys/bulk?do=revoke&id=" + string(b.key)).Want(200).Has("Revoke 1 key?")
	w.Post("/keys/bulk?do=revoke&id="+string(b.key), url.Values{}).Leads("/keys")
	w.Get("/keys").Want(200).Has("Revoked")
	alert := "/alerts/bulk?do=close&id=" + url.QueryEscape(theAlert(b))
	w.Post(alert, url.Values{}).Leads("/alerts")
	w.Post(alert, url.Values{}).Want(404)
	w.Get("/rings/bulk?do=cancel&id=" + string(b.ring)).Want(200).Has("1 ring is over already")
}
