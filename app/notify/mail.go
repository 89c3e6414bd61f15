// Package notify sends mail: it queues each mail, speaks SMTP, and retries for a while. It knows
// nothing of tenants or of why a mail is sent.
//
// Mail is one mail in plain text.
package notify

import (
	"context"
	"errors"
	"log/slog"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"

	"carillon/app/language"
)

// Mail is one mail, in plain text. An address may hold any letters; see ErrRefused.
type Mail struct {
	To, Subject, Text string
	HTML              string // the same for programs that draw it; empty = text only
	Unsubscribe       string // an address that takes a POST and sends no more such mails (RFC 8058); empty = none
}

// In is the mail in a language. English, a language that we do not know, and what its catalogue
// does not have, change nothing: links, codes and names stay as they are.
func (m Mail) In(tag string) Mail {
	c, ok := language.In(tag)
	if !ok {
		return m
	}
	if said, ok := c.Line(m.Subject); ok {
		m.Subject = said
	}
	m.Text = c.Text(m.Text)
	if m.HTML != "" {
		m.HTML = string(c.Page([]byte(m.HTML)))
	}
	return m
}

// Config configures a Mailer.
type Config struct {
	// URL is smtp://user:password@host:587 (STARTTLS is required, except on this machine) or
	// smtps://… (TLS from the start, port 465). ?from= sets the sender; without it, the user is the
	// sender.
	URL string
	Now func() time.Time
	Log *slog.Logger

	deliver func(context.Context, Mail) error // tests; nil = by SMTP
	pause   time.Duration                     // before the second try; 0 = 5 s
}

// Limits of the queue and of retries.
const (
	queueLength = 256
	tries       = 4
	sendTime    = 30 * time.Second
	firstPause  = 5 * time.Second // each further pause is four times as long
)

// ErrFull is the error of Send when the queue is full.
var ErrFull = errors.New("notify: the queue is full")

// ErrRefused is wrapped by errors that are final for the address: the mail server refused it with
// 5xx, or it cannot be written in SMTP. Trying again is useless.
var ErrRefused = errors.New("notify: the address cannot get this mail")

// Mailer sends mails one after the other. A mail that waits for its next try holds up no other.
// New makes one; Close waits for the running delivery.
type Mailer struct {
	Config
	queue chan Mail
	done  chan struct{}

	mu     sync.Mutex // guards closed, failed and serial
	closed bool
	failed []Failed
	serial int
	stop   context.CancelFunc
}

// New checks the configuration and starts sending.
func New(c Config) (*Mailer, error) {
	if c.Now == nil || c.Log == nil {
		return nil, errors.New("notify: Now and Log are required")
	}
	if c.deliver == nil {
		s, err := parse(c.URL)
		if err != nil {
			return nil, err
		}
		c.deliver = s.send
	}
	if c.pause <= 0 {
		c.pause = firstPause
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Mailer{Config: c, queue: make(chan Mail, queueLength), done: make(chan struct{}), stop: stop}
	go m.run(ctx)
	return m, nil
}

func (l Mail) check() error {
	if a, err := mail.ParseAddress(l.To); err != nil || a.Address != l.To || strings.ContainsAny(l.Subject, "\r\n") {
		return errors.New("notify: a mail needs one plain address and a subject of one line")
	}
	return nil
}

// Deliver sends a mail now, once, and waits for the server to accept it. An error that wraps
// ErrRefused is final.
func (m *Mailer) Deliver(ctx context.Context, l Mail) error {
	if err := l.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return m.deliver(ctx, l)
}

// Send queues a mail and does not wait for it. It refuses an invalid mail, and returns ErrFull when
// the queue is full.
func (m *Mailer) Send(l Mail) error {
	if err := l.check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.New("notify: closed")
	}
	select {
	case m.queue <- l:
		return nil
	default:
		return ErrFull
	}
}

// Close sends what it can within three seconds and drops the rest. Closing again is fine.
func (m *Mailer) Close() error {
	m.mu.Lock()
	if !m.closed {
		m.closed = true
		close(m.queue)
	}
	m.mu.Unlock()
	limit := time.AfterFunc(3*time.Second, m.stop)
	<-m.done
	limit.Stop()
	m.stop()
	return nil
}

// retry is a mail that was tried and waits for its next try.
type retry struct {
	Mail
	tried int
	due   time.Time
}

func (m *Mailer) run(ctx context.Context) {
	defer close(m.done)
	var waiting []retry // the first is due first
	for {
		var next <-chan time.Time
		if len(waiting) > 0 {
			next = time.After(waiting[0].due.Sub(m.Now()))
		}
		select {
		case l, open := <-m.queue:
			if !open {
				for _, r := range waiting { // Close: now is their last chance
					r.tried = tries - 1
					m.try(ctx, r, nil)
				}
				return
			}
			waiting = m.try(ctx, retry{Mail: l}, waiting)
		case <-next:
			waiting = m.try(ctx, waiting[0], waiting[1:])
		}
	}
}

// try sends a mail, and adds it to waiting if it failed and there is hope.
func (m *Mailer) try(ctx context.Context, r retry, waiting []retry) []retry {
	limit, cancel := context.WithTimeout(ctx, sendTime)
	err := m.deliver(limit, r.Mail)
	cancel()
	r.tried++
	switch {
	case err == nil:
		return waiting
	case r.tried >= tries || errors.Is(err, ErrRefused) || len(waiting) >= queueLength:
		m.Log.Error("mail failed", "subject", r.Subject, "tries", r.tried, "err", err)
		m.keepFailed(r, err)
		return waiting
	}
	pause := m.pause
	for range r.tried - 1 {
		pause *= 4
	}
	r.due = m.Now().Add(pause)
	at := slices.IndexFunc(waiting, func(o retry) bool { return o.due.After(r.due) })
	if at < 0 {
		at = len(waiting)
	}
	return slices.Insert(waiting, at, r)
}
