// Package notifytest is an SMTP server inside this process (RFC 5321). It keeps the mails it gets,
// refuses recipients on request, and records commands that are out of order, or not in ASCII
// without SMTPUTF8. It knows nothing of
// notify. Start at New.
package notifytest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"strings"
	"sync"
)

// Mail is what one recipient got.
type Mail struct {
	From, To string // of the envelope
	Head     string // the header, as it came
	Text     string // the body, decoded
}

// Server accepts mails until Close.
type Server struct {
	listener net.Listener
	open     sync.WaitGroup
	mails    chan Mail

	mu     sync.Mutex // guards the rest
	refuse func(to string) bool
	busy   func(to string) bool
	utf8   bool // offers SMTPUTF8
	faults []string
}

// New starts a server on a free port of this machine.
func New() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &Server{listener: l, mails: make(chan Mail, 1024)}
	o.open.Add(1)
	go o.accept()
	return o, nil
}

// URL is the server's address for a Mailer.
func (o *Server) URL() string {
	return "smtp://" + o.listener.Addr().String() + "?from=carillon@ring.example"
}

// Mails returns the mails in order of arrival.
func (o *Server) Mails() <-chan Mail { return o.mails }

// Refuse rejects these recipients from now on. Nil accepts everyone.
func (o *Server) Refuse(rejected func(to string) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse = rejected
}

// Defer answers these recipients with 451, which is not final, from now on. Nil accepts everyone.
func (o *Server) Defer(busy func(to string) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy = busy
}

// OfferUTF8 offers SMTPUTF8 (RFC 6531) from now on.
func (o *Server) OfferUTF8() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.utf8 = true
}

// Faults are the commands that came out of order.
func (o *Server) Faults() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.faults...)
}

// Close stops the server and waits for open connections.
func (o *Server) Close() error {
	err := o.listener.Close()
	o.open.Wait()
	return err
}

func (o *Server) accept() {
	defer o.open.Done()
	for {
		c, err := o.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		o.open.Add(1)
		go func() {
			defer o.open.Done()
			defer c.Close()
			(&session{o: o, c: c, lines: bufio.NewScanner(c)}).serve()
		}()
	}
}

// session is one SMTP session (RFC 5321, 4.1.1).
type session struct {
	o        *Server
	c        net.Conn
	lines    *bufio.Scanner
	greeted  bool
	utf8     bool // this mail may hold addresses that are not ASCII
	from, to string
}

func (t *session) say(s string) { fmt.Fprint(t.c, s+"\r\n") }

func (t *session) serve() {
	t.say("220 mail.test")
	for t.lines.Scan() {
		line := t.lines.Text()
		if strings.HasPrefix(line, "MAIL") {
			t.utf8 = strings.HasSuffix(line, " SMTPUTF8")
		}
		if !t.utf8 && strings.ContainsFunc(line, func(r rune) bool { return r > 127 }) {
			t.o.fault("not ASCII: " + line)
		}
		switch word, _, _ := strings.Cut(strings.ToUpper(line), " "); {
		case word == "EHLO":
			t.greeted = true
			t.say("250-mail.test")
			t.o.mu.Lock()
			if t.o.utf8 {
				t.say("250-SMTPUTF8")
			}
			t.o.mu.Unlock()
			t.say("250 8BITMIME")
		case word == "MAIL" && t.greeted && t.from == "":
			t.from = address(line)
			t.say("250 OK")
		case word == "RCPT" && t.from != "" && t.to == "":
			t.recipient(address(line))
		case word == "DATA" && t.to != "":
			t.data()
		case word == "RSET":
			t.from, t.to = "", ""
			t.say("250 OK")
		case word == "NOOP":
			t.say("250 OK")
		case word == "QUIT":
			t.say("221 bye")
			return
		default:
			t.o.fault(line)
			t.say("503 out of order")
		}
	}
}

func (t *session) recipient(to string) {
	t.o.mu.Lock()
	no := t.o.refuse != nil && t.o.refuse(to)
	busy := t.o.busy != nil && t.o.busy(to)
	t.o.mu.Unlock()
	if busy {
		t.say("451 try again later")
		return
	}
	if no {
		t.say("550 no such recipient")
		return
	}
	t.to = to
	t.say("250 OK")
}

func (t *session) data() {
	t.say("354 send the mail")
	var b strings.Builder
	for t.lines.Scan() && t.lines.Text() != "." {
		b.WriteString(strings.TrimPrefix(t.lines.Text(), ".") + "\r\n") // RFC 5321, 4.5.2
	}
	head, body, _ := strings.Cut(b.String(), "\r\n\r\n")
	if strings.Contains(strings.ToLower(head), "quoted-printable") {
		plain, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
		if err != nil {
			t.o.fault(err.Error())
		}
		body = string(plain)
	}
	t.o.mails <- Mail{From: t.from, To: t.to, Head: head, Text: strings.ReplaceAll(body, "\r\n", "\n")}
	t.from, t.to = "", ""
	t.say("250 accepted")
}

// address returns the text between < and >.
func address(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	inner, _, _ := strings.Cut(rest, ">")
	return inner
}

func (o *Server) fault(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, what)
}
