package console

import (
	"html"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
)

func TestPeopleChooseColumns(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/rings").Want(200).Has(">Caller</th>", ">Agent</th>").Lacks(">Apple</th>", "list-chosen")
	w.Post("/lists/columns", url.Values{"list": {"rings"}, "column": {"apple", "caller", "made-up"},
		"place": {"?state=failed&cols=agent"}}).Leads("/rings?state=failed")
	w.Get("/rings").Want(200).Has(">Caller</th>", ">Apple</th>", "/rings.csv?cols=caller%2Capple", "list-chosen").Lacks(">Agent</th>")
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
	w.Get("/rings").Want(200).Has(">Agent</th>").Lacks(">Apple</th>", "list-chosen")
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
	zone, err := time.LoadLocation("Europe/Berlin") // the tenant's: its day is another one than in UTC for an hour or two
	pagetest.Must(t, err)
	w, today := b.Quick(b.Owner), h.Clock.Now().In(zone).Format(time.DateOnly)
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

func TestPaletteFindsThings(t *testing.T) {
	t.Parallel()
	h := open(t)
	b, other := h.full("beta", "Zoë"), h.full("alpha", "Alpha")
	w := b.Quick(b.Owner)
	r, err := b.Scope().Rings().Get(t.Context(), b.ring)
	pagetest.Must(t, err)
	ring := "/rings/" + string(b.ring)
	for _, x := range []struct{ typed, found string }{
		{string(b.ring), ring}, {string(b.ring)[:13], ring}, {r.Attempts[0].Push.APNsID, ring}, {r.Reference, ring}, {"zoë", ring},
		{"zoë phone", "/devices/" + string(b.device)}, {"PHONE zoe", "/devices/" + string(b.device)},
		{"zoë desk", "/agents/" + string(b.agent)},
		{"zoë hook", "/connections/" + string(b.connection)}, {"zoë key", "/keys/" + string(b.key)}, {b.Owner.Email, "/people?q="},
		{"dark", `value="dark"`}, {"sign out", `action="/signout"`}, {"export ri", "/rings.csv"}, {"test", "/rings/test"},
		{"alert ru", "/alerts/rules"},
	} {
		w.Get("/palette?q=" + url.QueryEscape(x.typed)).Want(200).Has(x.found)
	}
	w.Get("/palette?q=" + string(other.ring)).Want(200).Lacks("/rings/" + string(other.ring))
	w.Get("/palette?q=" + strings.Repeat("x", 101)).Want(400)
	w.Get("/palette?q=nothing+has+this").Want(200).Lacks("<li>")
	b.Quick(b.viewer()).Get("/palette").Want(200).Lacks("/keys/add")
}

func TestDevicesAreImported(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	send := func(path, name, file string) pagetest.Answer {
		t.Helper()
		kind, body := multipartOf(map[string]string{name: file}, "", "")
		return w.Send("POST", path, kind, body)
	}
	known, err := b.Scope().Devices().Get(t.Context(), b.device)
	pagetest.Must(t, err)
	token := strings.Repeat("ef", 32)
	file := "token;bundle_id;person;name;tags\r\n" + known.Token + ";" + known.Bundle + ";;;\r\n" + token +
		";com.example.app;ana;=Ana;north|east\r\nnone;com.example.app;;;\r\n"
	before := h.Dump(b.Id)
	page := send("/devices/import", "file", file).Want(200).Has("Import 1 device<", "It must be hexadecimal", "<td class=\"num\">4</td>")
	if h.Dump(b.Id) != before {
		t.Error("a dry run wrote something")
	}
	_, text, _ := strings.Cut(page.Body, "name=\"devices\" value=\"")
	text, _, _ = strings.Cut(text, "\"")
	send("/devices/import/now", "devices", html.UnescapeString(text)).Want(200).Has("1 device was imported")
	send("/devices/import/now", "devices", html.UnescapeString(text)).Want(200).Has("0 devices were imported") // sent twice
	w.Get("/devices?tag=north").Want(200).Has("=Ana", "Not registered yet")
	w.Get("/devices?health=silent").Want(200).Has("=Ana")
	w.Get("/audit").Want(200).Has("imported devices")

	// The app registers with the same token, and says its environment: it is the same device.
	got, wasKnown, err := b.Scope().Devices().Add(t.Context(), tenants.Device{ID: tenants.NewID[tenants.DeviceID](h.Clock.Now()),
		Tenant: b.Id, Token: token, Bundle: "com.example.app", Environment: tenants.Production},
		tenants.NewSecret(tenants.DevicePrefix).Hash())
	pagetest.Must(t, err)
	if !wasKnown || got.Name != "=Ana" || got.Environment != tenants.Production || got.SeenAt.IsZero() {
		t.Errorf("after it registered: known %v, %+v", wasKnown, got)
	}
	send("/devices/import", "file", "").Want(422).Has("The file is empty")
	send("/devices/import", "other", "x").Want(400).Has("Choose a file")
	send("/devices/import", "file", "token,bundle_id\n"+strings.Repeat("a,b\n", 10_001)).Want(413).Has("10,000 devices")
	send("/devices/import", "file", strings.Repeat("x", 6<<20)).Want(413).Has("10,000 devices")
}
