package app

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPayingInABrowser: a form of the billing page leads to Stripe, which Chromium allows only if
// the page's policy does. Stripe reports the payment, the page shows it, and two clicks cancel the
// subscription.
func TestPayingInABrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := browser(t)
	signIn(t, admin, s)
	do(t, admin, "choose a plan", chromedp.Navigate(s.ready.URL+"/billing"),
		click(`button[aria-label="Subscribe to Growth by the month"]`), holds(`location.pathname.startsWith("/pay/")`))
	do(t, admin, "a card that is declined", click(`button[value=bad]`), holds(`document.body.innerText.includes("was declined")`))
	// Where Stripe's message arrives after the browser, the page that the checkout leads to reloads
	// itself.
	do(t, admin, "a card that works", click(`button[value=good]`),
		holds(`location.pathname === "/billing" && location.search.startsWith("?checkout=done")`))
	do(t, admin, "the page shows it", holds(`document.body.innerText.includes("$499 by the month")`))
	do(t, admin, "look at a larger plan", click(`a[aria-label="Change to Scale by the month"]`),
		holds(`location.pathname === "/billing/change" && document.body.innerText.includes("Due now: $")`))
	do(t, admin, "change to it", submit(`input[name=at]`), holds(`document.body.innerText.includes("$1,499 by the month")`))
	do(t, admin, "the portal", click(`form[action="/billing/portal"] button`), holds(`document.title === "Billing portal"`))
	do(t, admin, "and back", click(`#back`), holds(`location.pathname === "/billing"`))
	do(t, admin, "cancel", click(`a[href="/billing/cancel"]`), holds(`location.pathname === "/billing/cancel"`))
	do(t, admin, "yes", click(`main form button[type=submit]`),
		holds(`document.body.innerText.includes("Cancelled, active until ")`))
}
