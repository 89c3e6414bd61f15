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

// TestEventsOfAConnection: what was sent can be found, opened, and sent again.
func TestEventsOfAConnection(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	b.connects()
	at := "/connections/" + string(b.connection)
	h.Clock.Pass(2 * time.Hour)
	good := b.sent(b.connection, tenants.DeliveryAttempt{At: h.Clock.Now(), Took: 120 * time.Millisecond, Status: 200, Good: true,
		Sent: map[string]string{"Webhook-Id": "one"}, Answer: "fine"})
	w := b.Quick(b.Owner)
	w.Get(at).Want(200).Has("Not used yet", "Last 24 hours", "50 %", "120 ms", "of 2 attempts", "200 OK", "503 Service Unavailable",
		"/deliveries/"+good, "Show as table", "Send events again")
	w.Get("/connections").Has("50 %", "120 ms")

	list := at + "/deliveries"
	w.Get(list).Want(200).Has("2 events", "Delivered", "Failed", "ring.ended")
	w.Get(list+"?status=failed").Has("1 event", "/deliveries/"+b.event).Lacks("/deliveries/" + good)
	w.Get(list + "?event=device.removed").Has("No matches")
	w.Get(list + "?ring=" + tenants.NewRandomID()).Has("No matches")
	if file := w.Get(list + ".csv?status=delivered").Want(200).Body; strings.Count(file, "\r\n") != 2 || !strings.Contains(file, good) {
		t.Errorf("the file of what was delivered:\n%s", file)
	}

	w.Get(list+"/"+b.event).Want(200).Has("This event was not delivered", "Beta failed.", "POST https://beta.example/hook", "Webhook-Id: Beta",
		"Look at the log of your system", "Send again", "&#34;type&#34;: &#34;ring.ended&#34;")
	w.Get(list + "/" + tenants.NewRandomID()).Want(404)
	w.Get(list + "/nothing").Want(404)

	// The count that is shown is what is sent.
	w.Get(at+"/replay?which=failed").Want(200).Has("1 event will be sent", "Send 1 event", "https://beta.example/hook")
	w.Get(at + "/replay?which=all").Has("2 events will be sent")
	w.Get(at + "/replay?which=all&from=2001-01-01T00:00&to=2001-01-02T00:00").Has("No events in this time")
	w.Get(at+"/replay?from=yesterday").Want(400).Has("Enter a date and a time.", "Nothing was sent.")
	w.Get(at + "/replay?from=2026-01-02T00:00&to=2026-01-01T00:00").Want(400).Has("Choose a time after the first one.")
	w.Post(at+"/replay", fieldsOf("which", "all", "from", "2026-01-02T00:00", "to", "2026-01-01T00:00")).Want(400)
	w.Post(at+"/replay", fieldsOf("which", "failed")).Leads(list)
	w.Get(list).Has("The events are being sent")
	b.waits(t, 1)
	w.Post(list+"/"+good+"/send", url.Values{}).Leads(list + "/" + good)
	b.waits(t, 2)
	w.Get(list+"/"+good).Has("Waiting", "Send now")
	w.Get(at).Has("2 events wait")

	w.Post(at+"/test", url.Values{}).Want(200).Has("503 Service Unavailable", "It answered 503.", "1.43 s", "&lt;b&gt;busy",
		"POST https://beta.example/hook", "Webhook-Id: test", "Send another test event")
	w.Get(list).Has("ring.placed")

	// What is off sends nothing, and says so.
	w.Post(at+"/pause", url.Values{}).Leads(at)
	w.Get(list + "/" + good).Lacks("Send now")
	w.Get(at).Lacks("Choose a time")
	w.Post(list+"/"+good+"/send", url.Values{}).Want(409)
	w.Post(at+"/replay", fieldsOf("which", "all")).Want(409).Has("Make it active first")
}

// waits checks how many events wait for the tenant's connection.
func (t *tenant) waits(at *testing.T, n int) {
	at.Helper()
	all, _, err := t.Scope().Deliveries().List(at.Context(), store.DeliveryQuery{Connection: t.connection, State: tenants.DeliveryWaiting})
	pagetest.Must(at, err)
	if len(all) != n {
		at.Errorf("%d events wait, not %d", len(all), n)
	}
}
