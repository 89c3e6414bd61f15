package notify

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/notify/notifytest"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMailArrives(t *testing.T) {
	t.Parallel()
	server, err := notifytest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	m, err := New(Config{URL: server.URL(), Now: time.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(Mail{To: "ana@lindenhof.example", Subject: "Ihr Zugang für Ana",
		Text: "Hello,\n\nhttp://ring.example/trial/x\n"}); err != nil {
		t.Fatal(err)
	}
	select {
	case l := <-server.Mails():
		for _, want := range []string{"To: <ana@lindenhof.example>", "From: <carillon@ring.example>",
			"Auto-Submitted: auto-generated", "http://ring.example/trial/x", "text/plain"} {
			if !strings.Contains(l.Head+l.Text, want) {
				t.Errorf("the mail lacks %q:\n%s\n%s", want, l.Head, l.Text)
			}
		}
	case <-time.After(time.Minute):
		t.Fatal("no mail")
	}
	if err := m.Deliver(t.Context(), Mail{To: "ana@lindenhof.example", Subject: "At once", Text: "Hello"}); err != nil ||
		(<-server.Mails()).Text != "Hello\n" {
		t.Errorf("delivering: %v", err)
	}
	server.Refuse(func(string) bool { return true })
	if m.Deliver(t.Context(), Mail{To: "ana@lindenhof.example", Subject: "x"}) == nil ||
		m.Deliver(t.Context(), Mail{To: "ana", Subject: "x"}) == nil {
		t.Error("Deliver succeeded for a refused mail")
	}
	if f := server.Faults(); len(f) > 0 {
		t.Error(f)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if m.Send(Mail{To: "a@b.example", Subject: "x"}) == nil {
		t.Error("a closed mailer accepts mail")
	}
}

func TestMailIsRetried(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	sent := make(chan struct{})
	m, err := New(Config{Now: time.Now, Log: quiet, pause: time.Millisecond, deliver: func(context.Context, Mail) error {
		if asked.Add(1) < 3 {
			return errors.New("busy")
		}
		close(sent)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(Mail{To: "a@b.example", Subject: "x"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-sent:
	case <-time.After(time.Minute):
		t.Fatal("the mail was not retried")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBadAddressHoldsNobodyUp sends to an address that is refused and to one that is to be tried
// later, and then to a good one. The pause is longer than the test.
func TestBadAddressHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	server, err := notifytest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var asked atomic.Int64
	server.Refuse(func(to string) bool {
		if to == "gone@b.example" {
			asked.Add(1)
			return true
		}
		return false
	})
	server.Defer(func(to string) bool { return to == "full@b.example" })
	m, err := New(Config{URL: server.URL(), Now: time.Now, Log: quiet, pause: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"gone@b.example", "full@b.example", "good@b.example"} {
		if err := m.Send(Mail{To: to, Subject: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if l := within(t, server.Mails()); l.To != "good@b.example" {
		t.Errorf("a mail to %s arrived", l.To)
	}
	server.Defer(nil)
	if err := m.Close(); err != nil { // tries what waits a last time
		t.Fatal(err)
	}
	if l := within(t, server.Mails()); l.To != "full@b.example" {
		t.Errorf("a mail to %s arrived", l.To)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("a refused address was tried %d times", n)
	}
}

// TestRefusalsAreFinal tells answers that are final for an address from those that are not.
func TestRefusalsAreFinal(t *testing.T) {
	t.Parallel()
	server, err := notifytest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.Refuse(func(to string) bool { return to == "gone@b.example" })
	server.Defer(func(to string) bool { return to == "full@b.example" })
	m, err := New(Config{URL: server.URL(), Now: time.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for to, want := range map[string]bool{"gone@b.example": true, "full@b.example": false} {
		err := m.Deliver(t.Context(), Mail{To: to, Subject: "x"})
		if err == nil || errors.Is(err, ErrRefused) != want {
			t.Errorf("%s: final %v, want %v: %v", to, !want, want, err)
		}
	}
}

// TestAddressesOfAllLanguages checks that a domain goes out in ASCII, and that a name before the @
// needs a server with SMTPUTF8.
func TestAddressesOfAllLanguages(t *testing.T) {
	t.Parallel()
	server, err := notifytest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	m, err := New(Config{URL: strings.Replace(server.URL(), "ring.example", "läuten.example", 1), Now: time.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Deliver(t.Context(), Mail{To: "info@müller.example", Subject: "Grüße"}); err != nil {
		t.Fatal(err)
	}
	l := within(t, server.Mails())
	if l.To != "info@xn--mller-kva.example" || l.From != "carillon@xn--luten-gra.example" || !strings.Contains(l.Head, "To: <"+l.To+">") {
		t.Errorf("from %s to %s:\n%s", l.From, l.To, l.Head)
	}
	err = m.Deliver(t.Context(), Mail{To: "jürgen@müller.example", Subject: "x"})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "SMTPUTF8") {
		t.Errorf("without SMTPUTF8: %v", err)
	}
	if err := m.Deliver(t.Context(), Mail{To: "a@ü-.example", Subject: "x"}); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "domain") {
		t.Errorf("an invalid domain: %v", err)
	}
	server.OfferUTF8()
	for _, to := range []string{"jürgen@müller.example", "ana@müller.example"} {
		if err := m.Deliver(t.Context(), Mail{To: to, Subject: "x"}); err != nil {
			t.Fatal(err)
		}
		if l := within(t, server.Mails()); l.To != strings.Replace(to, "müller", "xn--mller-kva", 1) {
			t.Errorf("to %s", l.To)
		}
	}
	if f := server.Faults(); len(f) > 0 {
		t.Error(f)
	}
}

// within waits for a mail.
func within(t *testing.T, mails <-chan notifytest.Mail) notifytest.Mail {
	t.Helper()
	select {
	case l := <-mails:
		return l
	case <-time.After(time.Minute):
		t.Fatal("no mail")
		return notifytest.Mail{}
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	m, err := New(Config{Now: time.Now, Log: quiet, deliver: func(ctx context.Context, _ Mail) error { <-ctx.Done(); return ctx.Err() }})
	if err != nil {
		t.Fatal(err)
	}
	full := false
	for range queueLength + 2 {
		full = full || errors.Is(m.Send(Mail{To: "a@b.example", Subject: "x"}), ErrFull)
	}
	if !full {
		t.Error("the queue is not bounded")
	}
	began := time.Now()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d > sendTime-5*time.Second {
		t.Errorf("closing took %s", d)
	}
}

func TestInvalidInputIsRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "http://x.example", "smtp://", "smtp://mail.example", "smtp://user:p@mail.example",
		"smtp://mail.example:x?from=a@b.example", "smtp://mail.example?from=nobody"} {
		if Check(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	for _, good := range []string{"smtp://a%40b.example:p@mail.example:587", "smtps://u:p@mail.example?from=a@b.example",
		"smtp://127.0.0.1:25?from=a@b.example"} {
		if err := Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	m, err := New(Config{Now: time.Now, Log: quiet, deliver: func(context.Context, Mail) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, l := range []Mail{{To: "", Subject: "x"}, {To: "a@b.example\r\nBcc: c@d.example", Subject: "x"},
		{To: "A <a@b.example>", Subject: "x"}, {To: "a@b.example", Subject: "x\r\nBcc: c@d.example"}} {
		if m.Send(l) == nil {
			t.Errorf("%+v is accepted", l)
		}
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "outbox")
	o, err := NewOutbox(dir, time.Now, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := o.Send(Mail{To: "a@b.example", Subject: "Hello", Text: "a link"}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	b, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil || !strings.Contains(string(b), "Subject: Hello\n\na link") {
		t.Errorf("%q %v", b, err)
	}
}
