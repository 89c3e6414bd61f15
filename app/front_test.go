package app

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPublicPagesInABrowser: a visitor calls the demo and hangs up, signs up, confirms and sees
// their own tenant. Then it looks at every public page, signed out.
func TestPublicPagesInABrowser(t *testing.T) {
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
	do(t, stranger, "sign up",
		chromedp.Navigate(s.ready.URL+"/trial"),
		write(`input[name=company]`, "Lindenhof Dental"), write(`input[name=name]`, "Ana Ruiz"),
		write(`input[name=email]`, "ana@lindenhof.example"), choose(`select[name=industry]`, "real-estate"),
		write(`input[name=password]`, "bells in the morning"), submit(`input[name=password]`),
		holds(`document.body.innerText.includes("Check your email")`),
		click(`.bare-dev a`), holds(`document.body.innerText.includes("Start the trial of Lindenhof Dental")`),
		submit(`.signup-card button`), holds(`location.pathname === "/overview"`),
		holds(`document.body.innerText.includes("14 days of trial left")`),
	)
	picture(t, stranger, s, "trial-begun")
	do(t, stranger, "sign out", submit(`form[action="/signout"] button`), holds(`location.pathname === "/signin"`))
	for _, width := range []int64{320, 768, 1024, 1200, 1920} {
		for _, path := range []string{"/", "/pricing", "/industries/healthcare", "/docs", "/demo", "/trial",
			"/security", "/affiliate", "/storybook/partner", "/storybook/partner-empty"} {
			do(t, stranger, path, look("light", width), chromedp.Navigate(s.ready.URL+path), holds(`document.readyState === "complete"`))
			if read(t, stranger, path, chromedp.Evaluate[bool](scrollsSideways)) {
				t.Errorf("%s scrolls sideways at %d", path, width)
			}
		}
	}
	visit(t, stranger, s, map[string]string{
		"front": "/", "front-pricing": "/pricing", "front-industries": "/industries",
		"front-legal": "/industries/legal", "front-salon": "/industries/salon",
		"front-security": "/security", "front-docs": "/docs", "front-status": "/status", "front-terms": "/terms",
		"front-privacy": "/privacy",
		"front-demo":    "/demo", "front-trial": "/trial", "front-missing": "/nothing-here",
		"front-sent": "/storybook/trial-sent", "front-confirm": "/storybook/trial-confirm-elsewhere",
		"front-affiliate": "/affiliate", "front-affiliate-off": "/storybook/affiliate-no-money",
		"front-affiliate-wrong": "/storybook/affiliate-wrong", "partner": "/storybook/partner",
		"partner-empty": "/storybook/partner-empty", "partner-wrong": "/storybook/partner-wrong",
		"partner-enter": "/storybook/partner-enter-account",
	})
}
