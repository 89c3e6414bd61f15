package console

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestConnectionsFromAddingToRemoving walks a person through the life of a connection.
func TestConnectionsFromAddingToRemoving(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/connections").Want(200).Has("Nothing is connected yet", "Add connection", "Not connected", "MLS (listings)")
	w.Get("/connections/add").Want(200).Has("What do you want to connect?", "Usual in your industry", "/connections/add?role=sms")
	w.Get("/connections/add?role=pager").Want(200).Has("What do you want to connect?")
	w.Get("/connections/add?role=webhook").Want(200).Has("ring.ended", "A ring is over", "Authorization: Bearer")

	// What is wrong is said at its field, and what was typed stays, but not the secret values.
	sent := fieldsOf("role", "webhook", "name", "Ops", "url", "http://10.0.0.1/hook", "event", "ring.ended", "headers",
		"Authorization: Bearer s3cret")
	w.Post("/connections/add", sent).Want(400).Has("https", "Enter the headers again", `value="Ops"`, `value="ring.ended" checked`).
		Lacks("s3cret")
	w.Post("/connections/add", fieldsOf("role", "pager", "name", "Ops", "url", "https://example.com/")).Want(200).Has("What do you want")
	sent.Set("url", "https://ops.example/hook")
	added := w.Post("/connections/add", sent).Want(200).Has("Your signing secret", "whsec_", "Check a signature").Lacks("s3cret")
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(added.Body)

	all, _, err := b.Scope().Connections().List(t.Context(), store.Page{})
	pagetest.Must(t, err)
	if len(all) != 1 || all[0].Name != "Ops" || len(all[0].Events) != 1 {
		t.Fatalf("added %+v", all)
	}
	at := "/connections/" + string(all[0].ID)
	w.Get(at).Want(200).Has("Not used yet", "https://ops.example/hook", "ring.ended", "Authorization", "Rotate secret").
		Lacks(secret, "s3cret")
	w.Get("/connections").Has("Ops", "ring.ended").Lacks(secret)
	w.Get("/connections?role=sms").Has("No matches")
	w.Get("/connections?state=off").Has("No matches")
	w.Get("/connections?q=ops.ex").Has("https://ops.example/hook")
	if file := w.Get("/connections.csv").Want(200).Body; !strings.Contains(file, "https://ops.example/hook") {
		t.Errorf("the file has no address:\n%s", file)
	}
	w.Get("/palette").Has(at, "/connections/add")
	w.Get("/audit").Has("added the connection", "“Ops”")
	w.Get("/audit?action=connection").Has("added the connection")

	// A form that names no headers keeps the stored ones.
	w.Get(at+"/edit").Want(200).Has("Stored: Authorization", "Remove the stored headers")
	w.Post(at+"/edit", fieldsOf("name", "Ops 2", "url", "https://ops.example/two")).Leads(at)
	w.Get(at).Has("Ops 2", "All events", "https://ops.example/two", "Authorization", "Saved.")
	kept, err := b.Scope().Connections().Secrets(t.Context(), all[0].ID)
	pagetest.Must(t, err)
	if kept.Headers["Authorization"] != "Bearer s3cret" {
		t.Errorf("the form lost the headers: %v", kept.Headers)
	}
	w.Post(at+"/edit", fieldsOf("name", "Ops 2", "url", "nowhere")).Want(400).Has("A complete address", "Edit Ops 2")
	w.Post(at+"/edit", fieldsOf("name", "Ops 2", "url", "https://ops.example/two", "forget_headers", "1")).Leads(at)
	w.Get(at).Lacks("Authorization")

	w.Get(at + "/secret").Want(200).Has("For 24 hours each request carries a signature of both secrets")
	w.Post(at+"/secret", url.Values{}).Want(200).Has("whsec_").Lacks(secret)
	w.Get(at).Has("Old secret signs until")
	h.Clock.Pass(25 * time.Hour)
	w = b.Quick(b.Owner)
	w.Get(at).Lacks("Old secret signs until")

	w.Post(at+"/pause", url.Values{}).Leads(at)
	w.Get(at).Has("This connection is paused", "Turn on")
	w.Get("/connections?state=off").Has("Paused")
	w.Post(at+"/resume", url.Values{}).Leads(at)
	w.Get(at).Has("Turned on.").Lacks("This connection is paused")

	w.Post(at+"/remove", fieldsOf("confirm", "Ops")).Want(422)
	w.Post(at+"/remove", fieldsOf("confirm", "Ops 2")).Leads("/connections")
	w.Get(at).Want(404)
	w.Get("/audit").Has("removed the connection", "“Ops 2”")
}

// TestPodShowsWhatTheIndustryExpects: each expected connection is on the overview and on the list
// with its state; a viewer is offered nothing.
func TestPodShowsWhatTheIndustryExpects(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/overview").Want(200).Has("Your systems", "/connections/add?role=crm", "Leads are in the CRM")
	id := tenants.NewID[tenants.ConnectionID](h.Clock.Now())
	_, err := b.Scope().Connections().Add(t.Context(), tenants.Connection{ID: id, Tenant: b.Id, Name: "Our CRM", Role: tenants.RoleCRM,
		URL: "https://crm.example/", CreatedAt: h.Clock.Now()}.Clean())
	pagetest.Must(t, err)
	for _, path := range []string{"/overview", "/connections"} {
		w.Get(path).Has("Our CRM", "/connections/"+string(id), "Not used yet").Lacks("/connections/add?role=crm")
	}
	viewer := b.Quick(b.viewer())
	viewer.Get("/overview").Has("Our CRM", "Not connected").Lacks("/connections/add")
	viewer.Get("/connections/"+string(id)).Want(200).Lacks("Pause", "Rotate secret", "/edit", "Remove connection")
}
