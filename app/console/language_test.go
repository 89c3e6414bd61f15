package console

import (
	"net/url"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestPagesInSpanish: the person's choice comes before the organisation's, and that before the
// browser's. Names that somebody gave are kept in each language.
func TestPagesInSpanish(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Settings")
	w := b.Quick(b.Owner)
	for _, name := range []string{"Devices", "Settings", "Owner"} {
		w.Post("/agents/add", url.Values{"name": {name}, "kind": {"builtin"}}).Leads("/agents")
	}
	w.Get("/agents").Want(200).Has(`<html lang="en"`, "Add agent")

	w.Post("/language", url.Values{"language": {"es"}}).Want(303)
	got, err := h.Store.Users().Get(t.Context(), b.Owner.ID)
	pagetest.Must(t, err)
	if got.Language != "es" {
		t.Errorf("stored %q", got.Language)
	}
	w.Get("/agents").Want(200).Has(`<html lang="es"`, "Dispositivos", "Ajustes", ">Devices</a>", ">Settings</a>", ">Owner</a>").
		Lacks("Add agent", ">Devices </a>", ">Settings </a>")
	all, _, err := b.Scope().Agents().List(t.Context(), store.Page{})
	pagetest.Must(t, err)
	for _, a := range all {
		w.Get("/agents/" + string(a.ID)).Want(200).Has("<h1 translate=\"no\">" + a.Name + "</h1>")
	}
	w.Get("/rings").Want(200).Has(">Devices</option>", ">Settings</option>", ">Owner</option>")
	w.Get("/settings").Want(200).Has(`<html lang="es"`, `value="Settings Homes"`)
	for _, typed := range []string{"Dispositivos", "dispositivos", "analisis"} { // pages of the palette are found in either language
		w.Get("/palette?q=" + typed).Want(200).Has("</span>").Lacks(`translate="no"`)
	}
	w.Get("/palette?q=Devices").Want(200).Has(">Dispositivos</span>", `<span translate="no">Devices</span>`)
	w.Get("/devices?q=zzz").Want(200).Has(`<html lang="es"`)

	// A language that we lack leaves it to the organisation.
	w.Post("/language", url.Values{"language": {"xx"}}).Want(303)
	w.Get("/agents").Has(`<html lang="en"`)
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	tn.Language = "es"
	pagetest.Must(t, b.Scope().SetTenant(t.Context(), tn))
	w.Get("/agents").Has(`<html lang="es"`)
	b.Quick(b.Person(tenants.Viewer)).Get("/agents").Has(`<html lang="es"`)
	w.Post("/language", url.Values{"language": {"en"}}).Want(303)
	w.Get("/agents").Has(`<html lang="en"`, "Add agent")

	// A visitor has only the browser.
	v := h.Browser()
	v.Get("/signin").Want(200).Has(`<html lang="en"`)
	v.Post("/language", url.Values{"language": {"es"}}).Want(303)
	v.Get("/signin").Want(200).Has(`<html lang="es"`, "Iniciar sesión")
	v.Get("/nowhere").Want(404).Has(`<html lang="es"`, "No hay nada en esta dirección.")
}
