package stripetest

import (
	"html/template"
	"net/http"
	"strings"
)

// The pages that people see at Stripe, with the same buttons.
var (
	payPage = template.Must(template.New("pay").Parse(`<!doctype html><html lang="en"><title>Checkout</title>
<h1>Pay with Stripe's stand-in</h1>
{{if .Said}}<p role="alert">{{.Said}}</p>{{end}}<form method="post">
<p><label>Card number <input name="number" autocomplete="off"></label>
Leave it empty for a unique card.</p>
<p><label>Promotion code <input name="code" autocomplete="off"></label></p>
<button name="card" value="good">Pay with a card that works</button>
<button name="card" value="bad">Pay with a card that is declined</button></form>
<p><a href="{{.Back}}">Back</a></p></html>`))
	portalPage = template.Must(template.New("portal").Parse(`<!doctype html><html lang="en"><title>Billing portal</title>
<h1>Billing portal</h1>
<form method="post"><button name="do" value="good">Use a card that works</button>
<button name="do" value="bad">Use a card that fails later</button>
<button name="do" value="cancel">Cancel the subscription</button></form><p><a id="back" href="{{.Back}}">Return</a></p></html>`))
)

// shown is the data of a page.
type shown struct{ Said, Back string }

func (s *Stripe) page(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "form", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick()
	if id, ok := strings.CutPrefix(r.URL.Path, "/pay/"); ok {
		s.payPage(w, r, id)
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/portal/"); ok && s.customer(id) != nil {
		s.portalPage(w, r, id)
		return
	}
	http.NotFound(w, r)
}

func (s *Stripe) payPage(w http.ResponseWriter, r *http.Request, id string) {
	x := s.session(id)
	if x == nil || x.status != "open" {
		http.Error(w, "This checkout has ended.", http.StatusGone)
		return
	}
	p := shown{Back: x.cancel}
	if r.Method == http.MethodPost {
		if r.PostForm.Get("card") == "good" {
			err := s.pay(id, r.PostForm.Get("number"), r.PostForm.Get("code"))
			if err == nil {
				http.Redirect(w, r, x.success, http.StatusSeeOther)
				return
			}
			p.Said = err.Error()
		} else {
			p.Said = "Your card was declined."
		}
	}
	draw(w, payPage, p)
}

func (s *Stripe) portalPage(w http.ResponseWriter, r *http.Request, customer string) {
	if r.Method == http.MethodPost {
		switch r.PostForm.Get("do") {
		case "good":
			s.attach(customer, "")
			s.card(customer, true)
		case "bad":
			s.card(customer, false)
		case "cancel":
			for _, x := range s.subs {
				if x.customer == customer && x.status != "canceled" {
					x.cancelAtEnd = true
					s.happened("customer.subscription.updated", s.showSub(x))
				}
			}
		}
	}
	draw(w, portalPage, shown{Back: r.URL.Query().Get("back")})
}

func draw(w http.ResponseWriter, t *template.Template, p shown) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = t.Execute(w, p) // the client may have left
}
