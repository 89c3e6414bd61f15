package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"carillon/app/billing/stripetest"
	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestViewersSeeNothingThatRefusesThem walks every page as a viewer, with something of everything
// and with nothing, and follows each link and posts each form that the page lets a person use. None
// is answered 403.
func TestViewersSeeNothingThatRefusesThem(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	rich, poor := h.full("rich", "Rich"), h.bare("poor", "Poor")
	rich.trial()
	poor.trial()
	rich.Quick(rich.Owner).Post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).Want(303)
	pagetest.Must(t, s.Pay(s.Sessions()[0]))
	h.tell(s)
	going := rich.placed()
	h.Clock.Pass(time.Minute)
	pagetest.Must(t, rich.Scope().Credentials().NoteRefusal(t.Context(), rich.credential, "InvalidProviderToken", false, h.Clock.Now()))
	forms, links := 0, 0
	for _, r := range []tenants.Role{tenants.Developer, tenants.Analyst, tenants.Billing} {
		h.offersOnlyWhatIsOpen(rich, r, going.ID)
	}
	for _, b := range []*tenant{rich, poor} {
		viewer := b.viewer()
		w := b.Quick(viewer)
		pages := Pages(map[string]string{"rings": string(b.ring), "devices": string(b.device), "credentials": string(b.credential),
			"agents": string(b.agent), "connections": string(b.connection), "events": b.event})
		pages = append(pages, "/palette")
		if b == rich {
			pages = append(pages, "/rings/"+string(going.ID), "/rings/"+string(going.ID)+"/test", "/rings/"+string(b.refused),
				"/devices/"+string(b.dead), "/credentials/"+string(b.previous))
		}
		seen := map[string]bool{}
		for _, at := range pages {
			res := w.Get(at)
			if res.StatusCode == 403 { // it has no link, or this test would find it
				continue
			}
			doc, err := html.Parse(strings.NewReader(res.Want(200).Body))
			pagetest.Must(t, err)
			for n := range doc.Descendants() {
				switch {
				case n.Data == "a" && n.Type == html.ElementNode:
					to := attr(n, "href")
					if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "/storybook") || seen[to] {
						continue
					}
					seen[to] = true
					links++
					if got := w.Get(to); got.StatusCode == 403 {
						t.Errorf("%s of %s: the link %q is answered 403", at, b.Slug, to)
					}
				case n.Data == "form" && strings.EqualFold(attr(n, "method"), "post"):
					sent, usable := fill(n)
					if what := attr(n, "action") + "?" + sent.Encode(); !usable || seen[what] {
						continue
					} else {
						seen[what] = true
					}
					forms++
					if got := w.Post(attr(n, "action"), sent); got.StatusCode == 403 {
						t.Errorf("%s of %s: the form to %q is answered 403", at, b.Slug, attr(n, "action"))
					}
					w = b.Quick(viewer) // it may have signed out
				}
			}
		}
	}
	if forms < 5 || links < 60 {
		t.Errorf("only %d forms and %d links were tried", forms, links)
	}
	h.Clock.Pass(time.Minute)
	pagetest.Must(t, h.board.Sweep(t.Context()))
}

// offersOnlyWhatIsOpen looks at every page that the role may open for links and forms that would
// refuse it.
func (h *server) offersOnlyWhatIsOpen(b *tenant, role tenants.Role, going tenants.RingID) {
	h.Helper()
	w, needs := b.Quick(b.Person(role)), h.needs()
	pages := append(Pages(map[string]string{"rings": string(b.ring), "devices": string(b.device), "credentials": string(b.credential),
		"agents": string(b.agent), "connections": string(b.connection), "events": b.event}), "/palette", "/rings/"+string(going),
		"/rings/"+string(b.refused), "/devices/"+string(b.dead))
	for _, at := range pages {
		if !h.k.opens(role, at) {
			continue
		}
		doc, err := html.Parse(strings.NewReader(w.Get(at).Want(200).Body))
		pagetest.Must(h, err)
		for n := range doc.Descendants() {
			switch {
			case n.Data == "a" && n.Type == html.ElementNode && !h.k.opens(role, attr(n, "href")):
				h.Errorf("%s, %s: the link %q would be refused", role, at, attr(n, "href"))
			case n.Data == "form" && strings.EqualFold(attr(n, "method"), "post"):
				if _, usable := fill(n); !usable {
					continue
				}
				for address, p := range needs {
					method, pattern, _ := strings.Cut(address, " ")
					if method == "POST" && matches(pattern, attr(n, "action")) && p != "" && !role.May(p) {
						h.Errorf("%s, %s: the form to %q would be refused", role, at, attr(n, "action"))
					}
				}
			}
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// fill is what a form sends as it is drawn. It is usable when one of its buttons is enabled. One
// that has no button is sent by the Enter key, or by a script when a choice is made.
func fill(form *html.Node) (sent url.Values, usable bool) {
	sent = url.Values{}
	buttons, enabled, controls := 0, 0, 0
	for n := range form.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "button" {
			buttons++
		}
		if disabled(n) {
			continue
		}
		switch n.Data {
		case "button":
			enabled++
		case "select", "textarea":
			controls++
		case "input":
			if attr(n, "type") != "hidden" {
				controls++
			}
			if attr(n, "type") != "radio" && attr(n, "type") != "checkbox" || has(n, "checked") {
				sent.Add(attr(n, "name"), attr(n, "value"))
			}
		}
	}
	return sent, enabled > 0 || buttons == 0 && controls > 0
}

func disabled(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if has(n, "disabled") && n.Data != "option" {
			return true
		}
	}
	return false
}

// TestViewersReadWhy: where the thing to do is the point of a page, it says why a viewer cannot.
func TestViewersReadWhy(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.viewer())
	w.Get("/rings/test").Want(200).Has("Your role (viewer) can’t start calls.")
	w.Get("/settings").Want(200).Has("Your role (viewer) can’t change the organisation.")
	for _, path := range []string{"/overview", "/rings", "/devices", "/devices/" + string(b.device)} {
		w.Get(path).Want(200).Lacks("Start test ring", "Ring this phone", "Pair a device")
		b.Quick(b.Person(tenants.Admin)).Get(path).Want(200).Has("/rings/test")
	}
}
