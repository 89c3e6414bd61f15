package app

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// streams stands before a server, as a proxy that speaks HTTP/1.1 does, and counts the event
// streams that are open through it.
type streams struct {
	mu   sync.Mutex // guards the rest
	open map[string]int
	most map[string]int
	news chan struct{} // closed and made again at each change
}

// counted puts a counting proxy before s: from then on s.ready names the proxy.
func counted(t *testing.T, s *server) *streams {
	t.Helper()
	to, err := url.Parse(s.ready.URL)
	if err != nil {
		t.Fatal(err)
	}
	n := &streams{open: map[string]int{}, most: map[string]int{}, news: make(chan struct{})}
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.FlushInterval = -1
	pass.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // the browser left
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			n.add(r.URL.Path, 1)
			defer n.add(r.URL.Path, -1)
		}
		defer func() { _ = recover() }() // of http.ErrAbortHandler: the browser left a stream
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	t.Cleanup(front.CloseClientConnections)
	s.ready.PhoneURL = strings.Replace(s.ready.PhoneURL, s.ready.URL, front.URL, 1)
	s.ready.URL = front.URL
	return n
}

func (n *streams) add(path string, d int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open[path] += d
	n.most[path] = max(n.most[path], n.open[path])
	close(n.news)
	n.news = make(chan struct{})
}

// until waits for want streams at path.
func (n *streams) until(t *testing.T, path string, want int) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		n.mu.Lock()
		got, news := n.open[path], n.news
		n.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-news:
		case <-limit:
			t.Fatalf("%d streams at %s, want %d", got, path, want)
		}
	}
}

// never wants that no more than most were open at once: where a stream follows another, the proxy
// may see the end of the first one late.
func (n *streams) never(t *testing.T, path string, most int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.most[path] > most {
		t.Errorf("%d streams at %s were open at once, want %d at most", n.most[path], path, most)
	}
}

const (
	consoleStream = "/rings/live"
	phoneStream   = "/phones/pushes"
)

// without takes a part of the platform away from a tab's pages, as browsers that lack it.
func without(names ...string) step {
	source := ""
	for _, name := range names {
		owner, part, ok := strings.Cut(name, ".")
		if !ok {
			owner, part = "self", name
		}
		source += fmt.Sprintf("Object.defineProperty(%s, %q, {value: undefined});", owner, part)
	}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source})
		return err
	})
}

// shown makes a page believe that its tab is shown, or is not.
func shown(yes bool) step {
	return holds(fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %v, configurable: true}),
		document.dispatchEvent(new Event("visibilitychange")), true`, !yes))
}

const (
	isLive = `document.querySelector("[data-live]")?.dataset.live === "live"`
	rowsOf = `document.querySelectorAll("[data-ring]").length`
)

// TestTwelveTabs: a browser opens six connections to a server that speaks HTTP/1.1. Twelve tabs,
// nine of them live, all load at once and all follow what happens, over two streams.
func TestTwelveTabs(t *testing.T) {
	t.Parallel()
	s := start(t)
	n := counted(t, s)
	first := browser(t)
	signIn(t, first, s)
	other := s.ready.URL + "/phone/riverbend-clinic"
	do(t, first, "load the assets", chromedp.Navigate(s.ready.PhoneURL), chromedp.Navigate(s.ready.URL+"/overview"))
	open := func(address string) context.Context {
		t.Helper()
		ctx := tab(t, first)
		do(t, ctx, address, chromedp.Navigate(address), holds(`document.readyState === "complete"`))
		// A tab that gets no connection waits for ever; a busy machine takes some seconds.
		const waited = `Math.max(...["navigation", "resource"].flatMap(k => performance.getEntriesByType(k))
			.map(e => e.requestStart - e.fetchStart))`
		if ms := read(t, ctx, address, chromedp.Evaluate[float64](waited)); ms > 10_000 {
			t.Errorf("the tab of %s waited %.0f ms for a connection", address, ms)
		}
		return ctx
	}
	console := func(path string) context.Context { t.Helper(); return open(s.ready.URL + path) }
	lists := []context.Context{console("/rings"), console("/rings"), console("/rings?state=ended")}
	phones := []context.Context{open(s.ready.PhoneURL), open(other)}
	for _, phone := range phones {
		do(t, phone, "the phone waits", holds(`document.querySelector("[data-push-state]").dataset.pushState === "on"`))
	}
	r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, s.ready.DeviceID))
	do(t, phones[0], "the phone rings and answers", holds(`document.body.dataset.screen === "incoming"`), click(`#phone-accept`),
		holds(`document.body.dataset.screen === "call"`))
	rings := []context.Context{console("/rings/" + r.ID), console("/rings/" + r.ID + "/test"), console("/rings/" + r.ID)}
	more := []context.Context{console("/overview"), console("/devices"), console("/rings"), console("/alerts")}
	for _, ctx := range append(append(lists[:2:2], rings...), more[2]) {
		do(t, ctx, "the page is live", holds(isLive), holds(`/In call/.test(document.querySelector("main").innerText)`))
	}
	n.until(t, consoleStream, 1)
	n.until(t, phoneStream, 1)

	s.call("POST", "/v1/rings/"+r.ID+"/cancel", s.ready.APIKey, "", nil)
	for _, ctx := range rings {
		do(t, ctx, "the ring's end is seen", holds(`document.querySelector("[data-live-text]").textContent === "Finished"`),
			holds(`/Answered|It works/.test(document.querySelector("main").innerText)`))
	}
	for _, ctx := range lists {
		do(t, ctx, "the list shows the end", holds(`/Answered/.test(document.querySelector("#list-body").innerText)`))
	}
	do(t, phones[0], "the phone stops", holds(`document.body.dataset.screen !== "call"`))
	read(t, more[0], "a request of another tab",
		chromedp.Evaluate[int](`fetch("/overview").then(a => a.status)`, chromedp.EvalAwaitPromise))
	n.never(t, consoleStream, 2)
	n.never(t, phoneStream, 2)
}

// TestHiddenTabsHoldNoStream: the stream ends when no tab is shown, and the first one that is shown
// again catches up.
func TestHiddenTabsHoldNoStream(t *testing.T) {
	t.Parallel()
	for name, lacks := range map[string][]string{
		"shared worker": nil, "web lock": {"SharedWorker"}, "each its own": {"SharedWorker", "navigator.locks"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			n := counted(t, s)
			first := browser(t)
			do(t, first, "an older browser", without(lacks...))
			signIn(t, first, s)
			all := []context.Context{first, tab(t, first), tab(t, first)}
			want := 1
			if len(lacks) == 2 {
				want = len(all)
			}
			for _, ctx := range all {
				do(t, ctx, "the list is live", without(lacks...), chromedp.Navigate(s.ready.URL+"/rings"), holds(isLive))
			}
			n.until(t, consoleStream, want)
			rows := read(t, first, "count the rows", chromedp.Evaluate[int](rowsOf))
			s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, s.ready.DeviceID))
			for _, ctx := range all {
				do(t, ctx, "all tabs see a new ring", holds(fmt.Sprintf("%s === %d", rowsOf, rows+1)))
			}
			for _, ctx := range all {
				do(t, ctx, "hide", shown(false))
			}
			n.until(t, consoleStream, 0)
			s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, s.ready.DeviceID))
			do(t, all[1], "one is shown and catches up", shown(true), holds(fmt.Sprintf("%s === %d", rowsOf, rows+2)), holds(isLive))
			n.until(t, consoleStream, 1)
			do(t, all[2], "another is shown", shown(true), holds(fmt.Sprintf("%s === %d", rowsOf, rows+2)))
			do(t, all[1], "the first shown goes elsewhere", chromedp.Navigate(s.ready.URL+"/settings"))
			s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, s.ready.DeviceID))
			do(t, all[2], "the other goes on alone", holds(fmt.Sprintf("%s === %d", rowsOf, rows+3)))
			n.until(t, consoleStream, 1)
			closed, leave := chromedp.NewContext(first)
			defer leave()
			if err := chromedp.Do(closed); err != nil {
				t.Fatal(err)
			}
			do(t, closed, "one more is shown", without(lacks...), chromedp.Navigate(s.ready.URL+"/rings"), holds(isLive))
			leave()
			do(t, all[2], "it is closed, and the last one hidden", shown(false))
			n.until(t, consoleStream, 0)
			n.never(t, consoleStream, want+1)
		})
	}
}

// TestTabsOfAnEndedSignInSaySo: an open page shows nothing of the organisation or the person that
// came after it in the same browser, and says that it is out of date.
func TestTabsOfAnEndedSignInSaySo(t *testing.T) {
	t.Parallel()
	s := start(t)
	n := counted(t, s)
	list := browser(t)
	signIn(t, list, s)
	outdated := holds(`document.querySelector("#outdated").open`)
	heading := func() string {
		return read(t, list, "the list", chromedp.Evaluate[string](`document.querySelector("#list-body").innerText`))
	}
	do(t, list, "the list is live", chromedp.Navigate(s.ready.URL+"/rings"), holds(isLive))
	before := heading()

	switching := tab(t, list)
	do(t, switching, "change the organisation", look("light", 1440), chromedp.Navigate(s.ready.URL+"/rings"), holds(isLive),
		click(`.side-body .pop summary`), turns(`.side-body .pop form button:not([aria-current])`))
	do(t, list, "the page says so", outdated, holds(`document.querySelector("[data-live-text]").textContent === "Ended"`))
	if now := heading(); now != before {
		t.Errorf("the list changed with the organisation:\n%s\nwas\n%s", now, before)
	}
	do(t, list, "and is loaded again", turns(`#outdated button`), holds(isLive))

	do(t, switching, "sign out", click(`.side-body .account summary`), turns(`.side-body form[action="/signout"] button`))
	do(t, list, "the page says so too", outdated, turns(`#outdated button`), holds(`location.pathname === "/signin"`))
	n.until(t, consoleStream, 0)
}

// TestThePartsOfALivePage: the drawer follows its ring although the list behind it waits, and a
// list that is paused says how many rings are new, and draws them when asked.
func TestThePartsOfALivePage(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := browser(t)
	signIn(t, ctx, s)
	place := func() toldRing { return s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, s.ready.DeviceID)) }
	r := place()
	const word = `document.querySelector("dialog.drawer .verdict-word").innerText`
	do(t, ctx, "open a ring at the side", look("light", 1440), chromedp.Navigate(s.ready.URL+"/rings"), holds(isLive),
		click(`a[data-drawer]`), holds(`document.querySelector("dialog.drawer [data-live-part]")`))
	s.call("POST", "/v1/rings/"+r.ID+"/cancel", s.ready.APIKey, "", nil)
	do(t, ctx, "the drawer sees its end", holds(word+` === "Cancelled"`), holds(isLive))
	do(t, ctx, "close it", write(`dialog.drawer`, "\u001b"), holds(`!document.querySelector("dialog[open]")`),
		holds(`document.activeElement.blur(), true`))
	do(t, ctx, "pause", click(`[data-live-pause]`), holds(`document.querySelector("[data-live]").dataset.live === "paused"`))
	place()
	do(t, ctx, "the list waits", holds(`document.querySelector("[data-live-new]").innerText === "1 new"`), holds(rowsOf+" === 1"))
	do(t, ctx, "draw it", click(`[data-live-new]`), holds(rowsOf+" === 2"), holds(`document.querySelector("[data-live-new]").hidden`))
	place()
	do(t, ctx, "go on", click(`[data-live-pause]`), holds(rowsOf+" === 3"), holds(isLive))
}
