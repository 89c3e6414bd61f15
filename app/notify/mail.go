// Package notify sends mail: it queues each mail, speaks SMTP, and retries for a while. It knows
// nothing of tenants or of why a mail is sent.
//
// Mail is one mail in plain text.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	smtp "github.com/wneessen/go-mail"
)

// Mail is one letter, in plain text.
type Mail struct {
	To, Subject, Text string
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

// Mailer sends mails one after the other. New makes one; Close waits for the running delivery.
type Mailer struct {
	Config
	queue chan Mail
	done  chan struct{}

	mu     sync.Mutex // guards closed
	closed bool
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

// Deliver sends a mail now, once, and waits for the server to accept it.
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

func (m *Mailer) run(ctx context.Context) {
	defer close(m.done)
	for l := range m.queue {
		if err := m.sendWithRetries(ctx, l); err != nil {
			m.Log.Error("mail failed", "subject", l.Subject, "err", err)
		}
	}
}

// sendWithRetries sends a mail, with growing pauses between tries.
func (m *Mailer) sendWithRetries(ctx context.Context, l Mail) error {
	pause := m.pause
	for i := 1; ; i++ {
		limit, cancel := context.WithTimeout(ctx, sendTime)
		err := m.deliver(limit, l)
		cancel()
		if err == nil || i == tries || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(pause):
			pause *= 4
		case <-ctx.Done():
			return err
		}
	}
}

// server is the SMTP server and how to log in to it.
type server struct {
	host, from string
	options    []smtp.Option
}

// Check returns what is wrong with an address for Config.URL.
func Check(address string) error {
	_, err := parse(address)
	return err
}

func parse(address string) (server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
		return server{}, errors.New("must be smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	s := server{host: u.Hostname(), from: u.Query().Get("from")}
	if s.from == "" && u.User != nil {
		s.from = u.User.Username()
	}
	if a, err := mail.ParseAddress(s.from); err != nil || a.Address == "" {
		return server{}, errors.New("names no sender; add ?from=carillon@example.com")
	}
	port, tls := 587, smtp.TLSMandatory
	s.options = append(s.options, smtp.WithTimeout(sendTime))
	if u.Scheme == "smtps" {
		port = 465
		s.options = append(s.options, smtp.WithSSL())
	} else if s.host == "localhost" || s.host == "127.0.0.1" || s.host == "::1" {
		tls = smtp.TLSOpportunistic // the connection stays on this machine
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil || port < 1 || port > 65535 {
			return server{}, fmt.Errorf("the port %s is not between 1 and 65535; mail servers listen on 587 or 465", u.Port())
		}
	}
	s.options = append(s.options, smtp.WithPort(port), smtp.WithTLSPolicy(tls))
	if password, ok := u.User.Password(); ok {
		s.options = append(s.options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(u.User.Username()),
			smtp.WithPassword(password))
	}
	return s, nil
}

func (s server) send(ctx context.Context, l Mail) error {
	m := smtp.NewMsg()
	if err := errors.Join(m.From(s.from), m.To(l.To)); err != nil {
		return err
	}
	m.Subject(l.Subject)
	m.SetMessageID()
	m.SetDate()
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, 5: no holiday replies
	m.SetBodyString(smtp.TypeTextPlain, l.Text)
	client, err := smtp.NewClient(s.host, s.options...)
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, m)
}
