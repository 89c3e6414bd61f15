package app

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTheFrontDoorInABrowser: a stranger hears the bells by one press and hangs up; then every public page is looked at, signed out.
func TestTheFrontDoorInABrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	stranger := browser(t)
	do(t, stranger, "the demo",
		look("light", 1440), chromedp.Navigate(s.ready.URL+"/demo"), holds(`!document.querySelector("[data-needs-script]").hidden`),
		click(`[data-demo-start]`),
		holds(`document.querySelector("[data-demo]").dataset.screen === "call"`),
		holds(`parseFloat(document.querySelector("[data-demo]").dataset.audioEnergy) > 0.001`),
	)
	picture(t, stranger, s, "demo-call")
	do(t, stranger, "hang up", click(`[data-demo-stop]`), holds(`document.querySelector("[data-demo]").dataset.screen === "idle"`))
	visit(t, stranger, s, map[string]string{
		"front": "/", "front-pricing": "/pricing", "front-industries": "/industries", "front-legal": "/industries/legal", "front-salon": "/industries/salon",
		"front-security": "/security", "front-docs": "/docs", "front-status": "/status", "front-terms": "/terms", "front-privacy": "/privacy",
		"front-demo": "/demo", "front-trial": "/trial", "front-missing": "/nothing-here", "front-sent": "/storybook/trial-sent", "front-confirm": "/storybook/trial-confirm-elsewhere",
	})
}
