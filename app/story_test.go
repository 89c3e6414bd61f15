package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"carillon/app/billing/stripetest"
	"carillon/app/push/apnstest"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// postOffice takes mail by SMTP (RFC 5321, 4.1.1) and gives the links in it.
func postOffice(t *testing.T) (address string, links <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	out := make(chan string, 4)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			deliver(c, out)
		}
	}()
	return l.Addr().String(), out
}

func deliver(c net.Conn, out chan<- string) {
	defer c.Close()
	say := func(s string) { fmt.Fprint(c, s+"\r\n") }
	say("220 office")
	for lines := bufio.NewScanner(c); lines.Scan(); {
		switch word, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " "); {
		case word == "DATA":
			say("354 go on")
			var letter strings.Builder
			for lines.Scan() && lines.Text() != "." {
				letter.WriteString(lines.Text() + "\r\n")
			}
			if text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(letter.String()))); err == nil {
				_, link, _ := strings.Cut(string(text), "http://")
				select {
				case out <- "http://" + strings.Fields(link + " -")[0]:
				default: // nobody reads the later ones
				}
			}
			say("250 taken")
		case word == "EHLO" || word == "MAIL" || word == "RCPT" || word == "RSET" || word == "NOOP":
			say("250 fine")
		case word == "QUIT":
			say("221 bye")
			return
		}
	}
}

// storyPlans are the built-in ones with a trial of one day, which is so short that a checkout is
// paid at once.
func storyPlans(t *testing.T) string {
	t.Helper()
	p := tenants.BuiltinPlans()
	p.TrialDays = 1
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plans.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// shop is a server in production with a Stripe, an Apple and a post office on this machine.
type shop struct {
	*server
	stripe *stripetest.Stripe
	apple  *apnstest.Apple
	mail   <-chan string
	page   context.Context
	shots  int
	phone  furnished
}

// sells opens it. Stripe's clock stands ten days back, so that a third of the first month is gone
// when the plan is changed.
func sells(t *testing.T) *shop {
	t.Helper()
	s := &shop{}
	var err error
	if s.apple, err = apnstest.New(apnstest.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.apple.Close() })
	if s.stripe, err = stripetest.New(stripetest.Config{Now: time.Now().AddDate(0, 0, -10)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stripe.Close() })
	var office string
	office, s.mail = postOffice(t)
	data, at, plans := t.TempDir(), freeAddr(t), storyPlans(t)
	money := []string{"--stripe-key", stripetest.Key, "--stripe-api-url", s.stripe.URL(), "--public-url",
		"http://" + at, "--plans-file", plans}
	s.server, _ = produce(t, []string{"--data", data}, s.apple,
		append(money, "--addr", at, "--stripe-webhook-secret", stripetest.Secret, "--smtp-url",
			"smtp://"+office+"?from=carillon@ring.example")...)
	wants(t, 0, "made the price", append([]string{"plans", "sync", "--data", data}, money...)...)
	s.stripe.Forgive()
	s.stripe.Hook(s.ready.URL + "/webhooks/stripe")
	s.page = browser(t)
	return s
}

// does runs steps, and then takes pictures of where they led: wide and narrow, light and dark.
func (s *shop) does(what string, steps ...step) {
	s.t.Helper()
	do(s.t, s.page, what, steps...)
	s.shots++
	for _, theme := range []string{"dark", "light"} {
		for _, width := range []int64{390, 1440} { // it goes on wide and light
			do(s.t, s.page, what, look(theme, width))
			picture(s.t, s.page, s.server, fmt.Sprintf("story-%02d-%s-%s-%d", s.shots, strings.ReplaceAll(what, " ", "-"), theme, width))
		}
	}
}

func (s *shop) to(path string) step { return chromedp.Navigate(s.ready.URL + path) }

func says(text string) step {
	quoted, _ := json.Marshal(text) // a string always marshals
	return holds(`document.readyState === "complete" && document.body.innerText.includes(` + string(quoted) + `)`)
}

// TestTheStoryOfACustomer: a stranger hears the demo, signs up, confirms by mail, adds a key and a
// phone, rings it, pays, grows, has a card that fails, recovers, and leaves; nobody helps. Each
// step leaves pictures in screenshots/.
func TestTheStoryOfACustomer(t *testing.T) {
	t.Parallel()
	s := sells(t)
	s.visits()
	s.signsUp()
	s.onboards()
	s.rings("the first ring")
	s.pays()
	s.grows()
	s.fails()
	s.leaves()
	if r := s.stripe.Refused(); len(r) > 0 {
		t.Errorf("requests that Stripe would refuse: %q", r)
	}
}

func (s *shop) visits() {
	s.does("the front door", look("light", 1440), s.to("/"), says("Start a trial"))
	s.does("the demo", click(`main a[href="/demo"]`),
		holds(`location.pathname === "/demo" && !document.querySelector("[data-needs-script]").hidden`),
		click(`[data-demo-start]`), holds(`document.querySelector("[data-demo]").dataset.screen === "call"`),
		holds(`parseFloat(document.querySelector("[data-demo]").dataset.audioEnergy) > 0.001`))
	do(s.t, s.page, "hang up", click(`[data-demo-stop]`), holds(`document.querySelector("[data-demo]").dataset.screen === "idle"`))
	s.does("what it costs", s.to("/pricing"), says("$499"))
}

func (s *shop) signsUp() {
	s.does("a password that is guessed", s.to("/trial"), write(`input[name=company]`, "Lindenhof Dental"),
		write(`input[name=name]`, "Ana Ruiz"), choose(`select[name=industry]`, "real-estate"),
		write(`input[name=email]`, "ana@lindenhof.example"), write(`input[name=password]`, "Lindenhof2026!"),
		submit(`input[name=password]`), says("does not contain your email"))
	s.does("look into your mail", write(`input[name=password]`, "bells in the morning"), submit(`input[name=password]`),
		says("Check your email"))
	var link string
	select {
	case link = <-s.mail:
	case <-time.After(time.Minute):
		s.t.Fatal("no mail came")
	}
	s.does("the link of the mail", chromedp.Navigate(link), says("Start the trial of Lindenhof Dental"))
	s.does("a tenant of their own", submit(`.signup-card button`), holds(`location.pathname === "/overview"`),
		says("Last day of the trial"))
}

// onboards adds a key that Apple takes, and pairs a phone by the code that the page shows.
func (s *shop) onboards() {
	account, p8, err := apnstest.NewKey("ABCDE12345", "LINDEN1234")
	if err == nil {
		err = s.apple.Register(account)
	}
	file := filepath.Join(s.t.TempDir(), "AuthKey_LINDEN1234.p8")
	if err == nil {
		err = os.WriteFile(file, p8, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.does("the key of the app", s.to("/credentials/add"),
		settled(chromedp.SetUploadFiles(chromedp.CSS(`input[name=file]`), []string{file})),
		write(`input[name=team_id]`, "ABCDE12345"), write(`input[name=bundle_id]`, "com.example.linden"),
		submit(`input[name=team_id]`), says("Added."))
	s.does("a code to pair a phone", s.to("/devices/pair"), write(`input[name=person]`, "front-desk"),
		submit(`input[name=person]`), says("Scan this with your app"))
	code := read(s.t, s.page, "the code",
		chromedp.Evaluate[string](`document.querySelector(".pair-letters").innerText.match(/[A-Z0-9]{5}-[A-Z0-9]{5}/)[0]`))
	s.phone.token = strings.Repeat("b2", 32)
	body := `{"token":"` + s.phone.token +
		`","bundle_id":"com.example.linden","name":"Front desk","model":"iPhone 17","os_version":"26.1","app_version":"3.2"}`
	if status := s.call("POST", "/v1/phone/devices", code, body, &s.phone); status != 201 {
		s.t.Fatalf("the code is refused: %d", status)
	}
	s.does("the phone is paired", holds(`location.pathname.startsWith("/devices/0")`), says("The phone is paired"))
}

// rings presses Ring; the phone wakes, shows, answers and hears the bells, and the page sees it
// live.
func (s *shop) rings(what string) {
	do(s.t, s.page, what, s.to("/rings/test?device="+s.phone.ID), click(`input[name=device][value="`+s.phone.ID+`"]`),
		submit(`input[name=device]`),
		holds(`/^\/rings\/[0-9a-f-]{36}\/test$/.test(location.pathname)`))
	id := strings.Split(strings.TrimPrefix(read(s.t, s.page, "where", chromedp.Location()), s.ready.URL), "/")[2]
	for _, kind := range []string{"woke", "shown"} {
		if status := s.call("POST", "/v1/phone/rings/"+id+"/facts", s.phone.Credential,
			`{"kind":"`+kind+`","at":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z"}`, nil); status != 200 {
			s.t.Fatalf("%s gave %d", kind, status)
		}
	}
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		s.t.Fatal(err)
	}
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: id, Credential: s.phone.Credential, Client: http.DefaultClient}
	call, err := iphone.Call(s.t.Context(), leg.Answer)
	if err != nil {
		s.t.Fatal(err)
	}
	defer call.HangUp()
	s.does(what, says("Both could hear each other"))
	if err := leg.HangUp(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	do(s.t, s.page, what, holds(`/hung up/i.test(document.body.innerText)`))
}

func (s *shop) pays() {
	s.does("the billing room", s.to("/billing"), says("The trial ends on"))
	do(s.t, s.page, "choose a plan", click(`button[aria-label="Subscribe to Starter by the month"]`),
		holds(`location.pathname.startsWith("/pay/")`))
	do(s.t, s.page, "a card that is declined", click(`button[value=bad]`), holds(`document.body.innerText.includes("was declined")`))
	s.does("paid", click(`button[value=good]`), holds(`location.pathname === "/billing"`), says("$149 by the month"))
}

func (s *shop) grows() {
	s.does("what growing costs", click(`a[aria-label="Change to Growth by the month"]`), says("Due now: $2"), says("Unused time"))
	s.does("grown", submit(`input[name=at]`), says("$499 by the month"))
}

// fails lets the renewal fail, which the dashboard says and rings outlive, and then pays.
func (s *shop) fails() {
	customer := s.stripe.Customers()[0]
	s.stripe.Card(customer, false)
	s.stripe.Advance(32 * 24 * time.Hour)
	s.does("a card fails", s.to("/billing"), says("A payment failed"), says("Update the payment method"))
	do(s.t, s.page, "nothing grows", s.to("/devices/pair"))
	s.rings("phones ring in the grace")
	s.does("the warning is everywhere", s.to("/overview"), says("A payment failed"))
	do(s.t, s.page, "the portal", s.to("/billing"), turns(`form[action="/billing/portal"] button`),
		holds(`document.title === "Billing portal"`),
		turns(`button[value=good]`), turns(`#back`))
	s.does("recovered", holds(`location.pathname === "/billing"`), says("Active"),
		holds(`!document.body.innerText.includes("A payment failed")`))
}

// leaves cancels with two presses, and phones ring on until the period ends.
func (s *shop) leaves() {
	s.does("cancel", click(`a[href="/billing/cancel"]`), says("Everything works until"))
	s.does("cancelled", click(`main form button[type=submit]`), says("Cancelled, active until "))
	s.rings("phones ring until the period ends")
	s.stripe.Advance(32 * 24 * time.Hour)
	s.does("it ended at Stripe", s.to("/billing"), says("Subscribe"))
}
