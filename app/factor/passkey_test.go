package factor_test

import (
	"errors"
	"testing"

	"carillon/app/factor"
	"carillon/app/factor/factortest"
)

const origin = "https://ring.example"

// TestPasskeys registers one and signs in with it; everything else is refused.
func TestPasskeys(t *testing.T) {
	t.Parallel()
	p, err := factor.NewPasskeys(origin)
	if err != nil {
		t.Fatal(err)
	}
	ana := factor.Person{ID: "0190aaaa-0000-7000-8000-00000000000a", Email: "ana@ring.example", Name: "Ana"}
	a := factortest.New(t, origin)
	options, session, err := p.Register(ana)
	if err != nil {
		t.Fatal(err)
	}
	answer := a.Create(options)
	k, err := p.Registered(ana, session, answer)
	if err != nil || len(k.ID) != 32 {
		t.Fatalf("%+v, %v", k, err)
	}
	bob := factor.Person{ID: "0190aaaa-0000-7000-8000-00000000000b"}
	if _, err := p.Registered(bob, session, answer); !factor.Refused(err) {
		t.Errorf("another person's registration: %v", err)
	}
	ana.Keys = []factor.Passkey{k}
	find := func(id []byte) (factor.Person, error) {
		if string(id) != string(k.ID) {
			return factor.Person{}, errors.New("unknown")
		}
		return ana, nil
	}
	sign := func(change func()) (factor.Person, factor.Passkey, error) {
		t.Helper()
		was := *a
		change()
		o, s, err := p.Ask()
		if err != nil {
			t.Fatal(err)
		}
		answer := a.Get(o)
		counter := a.Counter
		*a = was
		a.Counter = max(a.Counter, counter)
		return p.Check(s, answer, find)
	}
	who, next, err := sign(func() {})
	if err != nil || who.ID != ana.ID || string(next.ID) != string(k.ID) || string(next.Record) == string(k.Record) {
		t.Fatalf("%+v, %v", who, err)
	}
	ana.Keys[0] = next
	for name, lie := range map[string]func(){
		"another origin":        func() { a.Origin = "https://ring.example.evil.example" },
		"a plain origin":        func() { a.Origin = "http://ring.example" },
		"another domain":        func() { a.RPID = "evil.example" },
		"nobody was verified":   func() { a.Unverified = true },
		"another person's name": func() { a.Handle = []byte(bob.ID) },
		"no name":               func() { a.Handle = []byte{} },
		"a copy":                func() { a.Counter = 0 },
	} {
		if _, _, err := sign(lie); !factor.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, _, err := p.Ask()
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := p.Ask()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Check(other, a.Get(o), find); !factor.Refused(err) {
		t.Errorf("another challenge: %v", err)
	}
	if _, _, err := p.Check(other, []byte("{}"), find); !factor.Refused(err) {
		t.Errorf("no answer: %v", err)
	}
	if _, err := factor.NewPasskeys("http://127.0.0.1:8080"); !errors.Is(err, factor.ErrNoDomain) {
		t.Errorf("an IP address: %v", err)
	}
	if _, err := factor.NewPasskeys("http://localhost:8080"); err != nil {
		t.Errorf("localhost: %v", err)
	}
}
