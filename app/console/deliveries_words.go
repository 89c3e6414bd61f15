package console

import (
	"net/http"
	"strconv"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// deliveryListWords lack the addresses, which are of one connection.
var deliveryListWords = page.Words{
	Name: "Events", File: "events", One: "event", Many: "events",
	Empty: views.Empty{Icon: views.IconSend, Text: "No event was sent yet. They appear here as soon as something happens."},
	Sorts: page.Newest(),
}

// deliveryState is how far a delivery is.
func deliveryState(d tenants.Delivery) badge {
	switch {
	case d.State == tenants.DeliveryDelivered:
		return badge{views.ToneGood, "Delivered"}
	case d.State == tenants.DeliveryFailed:
		return badge{views.ToneBad, "Failed"}
	case d.Tries > 0:
		return badge{views.ToneWarn, "Trying again"}
	}
	return badge{views.ToneInfo, "Waiting"}
}

// answerText is the last answer: "503 Service Unavailable". Syslog has no statuses.
func answerText(status, tries int, good bool) string {
	switch {
	case tries == 0:
		return "–"
	case status == 0 && good:
		return "taken"
	case status == 0:
		return "no answer"
	}
	return joined(" ", strconv.Itoa(status), http.StatusText(status))
}

func triesText(n int) string {
	if n == 0 {
		return "not sent yet"
	}
	return views.Plural(n, "attempt", "attempts")
}

// deliveryProblem says why a delivery has not arrived; nil when it has, or is only on its way.
func deliveryProblem(d tenants.Delivery, v *page.Visitor) *views.Callout {
	switch {
	case d.State == tenants.DeliveryFailed:
		return &views.Callout{Tone: views.ToneBad, Title: "This event was not delivered", Cause: page.Sentence(d.Error),
			Cure: "When your system works again, choose “Send again”."}
	case d.State == tenants.DeliveryWaiting && d.Tries > 0:
		return &views.Callout{Tone: views.ToneWarn, Title: "The next attempt is on " + v.At(d.DueAt).Text, Cause: page.Sentence(d.Error),
			Cure: "Mend the cause and choose “Send now”, or wait. Carillon tries for three days, with growing pauses. " +
				"Later events of the same ring wait behind this one."}
	}
	return nil
}

// attempted is an attempt in words.
type attempted struct {
	badge
	cause, cure string
}

func attemptWords(a tenants.DeliveryAttempt) attempted {
	text := answerText(a.Status, 1, a.Good)
	if a.Good {
		return attempted{badge: badge{views.ToneGood, text}}
	}
	return attempted{badge{views.ToneBad, text}, page.Sentence(a.Error), attemptCure(a.Status)}
}

func attemptCure(status int) string {
	switch {
	case status == 0:
		return "Check the address, and that your system can be reached from the internet and has a valid certificate."
	case status >= 300 && status < 400:
		return "Carillon does not follow redirects. Enter the address that yours leads to."
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "Check the headers of this connection, and how your program checks the signature."
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return "Check the path of the address. Your program must take POST requests there."
	case status == http.StatusGone:
		return "This answer ends the connection. Turn it on again if that was a mistake."
	case status == http.StatusTooManyRequests:
		return "Your system asks for fewer requests. Send it fewer kinds of events."
	case status >= 500:
		return "Look at the log of your system at this time."
	}
	return "Your program must answer with a status from 200 to 299."
}

// replaySays are the consequences of sending n events again.
func replaySays(x tenants.Connection, n int) []string {
	if n == 0 {
		return []string{"Choose another time, or “Everything” to send again what has arrived before."}
	}
	says := []string{"They go to " + x.URL + ".", "The events of one ring go in their order. Each keeps its webhook-id."}
	if n >= tenants.ReplayMost {
		says = append(says, "At most "+views.Count(tenants.ReplayMost)+" are sent at once, the oldest first. Repeat this for the others.")
	}
	return says
}

// What pages and refusals say.
const (
	wrongTime     = "Enter a date and a time."
	wrongSpan     = "Choose a time after the first one."
	replayRefused = "Nothing was sent."
)

// connectionStats are the figures of the last 24 hours.
func connectionStats(f tenants.ConnectionFigures) []views.Stat {
	good := views.Stat{Label: "Delivered", Value: views.Count(int(f.Attempts - f.Failed)),
		Note: "of " + views.Plural(int(f.Attempts), "attempt", "attempts")}
	bad := views.Stat{Label: "Failed", Value: views.Percent(int(f.Failed), int(f.Attempts)),
		Note: views.Plural(int(f.Failed), "attempt", "attempts")}
	p50 := views.Stat{Label: "Answer time, p50", Value: "–", Note: "half are faster"}
	p95 := views.Stat{Label: "Answer time, p95", Value: "–", Note: "95% are faster"}
	if f.P95 > 0 {
		p50.Value, p95.Value = tookText(f.P50), tookText(f.P95)
	}
	return []views.Stat{good, bad, p50, p95}
}

// tookText is how long an answer took.
func tookText(d time.Duration) string {
	if d < time.Millisecond {
		return "under 1 ms"
	}
	return views.Millis(int(d.Milliseconds()))
}

// waitingText says how many events wait, and since when.
func waitingText(f tenants.ConnectionFigures, v *page.Visitor) string {
	n := views.Plural(int(f.Waiting), "event waits", "events wait")
	if f.Waiting >= tenants.WaitingCounted {
		n = "More than " + views.Count(tenants.WaitingCounted) + " events wait"
	}
	return n + ", the oldest since " + v.At(f.OldestWaiting).Text + "."
}
