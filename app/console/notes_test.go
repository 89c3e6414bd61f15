package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// The page of a ring shows what was said, finds in it, and gives it as a file. Where a name alone
// reveals something it shows it only when asked, and records each reading.
func TestNotes(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	at := "/rings/" + string(b.ring)
	w.Get(at).Want(200).Has("What was said", "Beta summary", "Good morning", "1:07", "Search the transcript")
	w.Get(at+"?notes=show&q=beta").Want(200).Has("1 of 2 lines", "=Beta").Lacks("Good morning")
	w.Get("/rings/" + string(b.refused)).Want(200).Lacks("What was said")
	w.Get("/rings/" + string(b.refused) + "/notes.txt").Want(404)
	w.Get(at + "/notes.txt").Want(200).Has("Beta summary\n\n[1:07] agent: Good morning\n[1:10] person: =Beta\n")
	w.Get(at+"/notes.csv").Want(200).Has("since_answer", ",1:07,agent,Good morning", ",1:10,person,'=Beta")

	reads := func(want int64) {
		t.Helper()
		list, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "note.read"})
		pagetest.Must(t, err)
		got := int64(0)
		for _, a := range list {
			got += int64(a.Times)
		}
		if got != want {
			t.Errorf("%d readings are recorded, want %d", got, want)
		}
	}
	reads(0)
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	tn.Industry = tenants.Healthcare
	pagetest.Must(t, b.Scope().SetTenant(t.Context(), tn))
	w.Get(at).Want(200).Has("Show the notes").Lacks("Good morning", "Beta summary")
	reads(0)
	w.Get(at+"?notes=show").Want(200).Has("Good morning", "Beta summary")
	w.Get(at + "/notes.txt").Want(200)
	h.Clock.Pass(11 * time.Minute) // the second one is a repeat, which is recorded when ten minutes are over
	if _, err := h.Store.Jobs().CloseRepeats(t.Context()); err != nil {
		t.Fatal(err)
	}
	reads(2)
	w.Get("/audit").Want(200).Has("read the notes of")

	w.Get(at + "/erase").Want(200).Has("Erase all notes of beta-person?")
	w.Post(at+"/erase", url.Values{"confirm": {"somebody"}}).Want(422)
	w.Get(at).Want(200).Has("Show the notes")
	w.Post(at+"/erase", url.Values{"confirm": {"beta-person"}}).Want(303)
	w.Get(at).Want(200).Lacks("What was said")
	if strings.Contains(h.Dump(b.Id), "notes [") {
		t.Error("erased notes are still in the database")
	}
}
