// Package notifytest is a post office inside this process: an SMTP server (RFC 5321) that keeps
// what it is given, refuses whom it is told to, and notes what is out of order. Start at New.
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

// Letter is what one recipient got.
type Letter struct {
	From, To string // of the envelope
	Head     string // the header, as it came
	Text     string // the body, decoded
}

// Office takes letters until Close.
type Office struct {
	listener net.Listener
	open     sync.WaitGroup
	letters  chan Letter

	mu     sync.Mutex // guards both
	refuse func(to string) bool
	faults []string
}

// New opens an office on a free port of this machine.
func New() (*Office, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &Office{listener: l, letters: make(chan Letter, 1024)}
	o.open.Add(1)
	go o.accept()
	return o, nil
}

// URL is the office as a Mailer is told of it.
func (o *Office) URL() string {
	return "smtp://" + o.listener.Addr().String() + "?from=carillon@ring.example"
}

// Letters gives what came, in order.
func (o *Office) Letters() <-chan Letter { return o.letters }

// Refuse turns recipients away from now on; nil takes everybody.
func (o *Office) Refuse(whom func(to string) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse = whom
}

// Faults are commands that came out of order.
func (o *Office) Faults() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.faults...)
}

// Close ends the office and waits for conversations under way.
func (o *Office) Close() error {
	err := o.listener.Close()
	o.open.Wait()
	return err
}

func (o *Office) accept() {
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
			(&talk{o: o, c: c, lines: bufio.NewScanner(c)}).hold()
		}()
	}
}

// talk is one conversation (RFC 5321, 4.1.1).
type talk struct {
	o        *Office
	c        net.Conn
	lines    *bufio.Scanner
	greeted  bool
	from, to string
}

func (t *talk) say(s string) { fmt.Fprint(t.c, s+"\r\n") }

func (t *talk) hold() {
	t.say("220 office")
	for t.lines.Scan() {
		line := t.lines.Text()
		switch word, _, _ := strings.Cut(strings.ToUpper(line), " "); {
		case word == "EHLO":
			t.greeted = true
			t.say("250-office")
			t.say("250 8BITMIME")
		case word == "MAIL" && t.greeted && t.from == "":
			t.from = address(line)
			t.say("250 fine")
		case word == "RCPT" && t.from != "" && t.to == "":
			t.recipient(address(line))
		case word == "DATA" && t.to != "":
			t.data()
		case word == "RSET":
			t.from, t.to = "", ""
			t.say("250 fine")
		case word == "NOOP":
			t.say("250 fine")
		case word == "QUIT":
			t.say("221 bye")
			return
		default:
			t.o.fault(line)
			t.say("503 out of order")
		}
	}
}

func (t *talk) recipient(to string) {
	t.o.mu.Lock()
	no := t.o.refuse != nil && t.o.refuse(to)
	t.o.mu.Unlock()
	if no {
		t.say("550 nobody of that name")
		return
	}
	t.to = to
	t.say("250 fine")
}

func (t *talk) data() {
	t.say("354 go on")
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
	t.o.letters <- Letter{From: t.from, To: t.to, Head: head, Text: strings.ReplaceAll(body, "\r\n", "\n")}
	t.from, t.to = "", ""
	t.say("250 taken")
}

// address is what stands between < and >.
func address(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	inner, _, _ := strings.Cut(rest, ">")
	return inner
}

func (o *Office) fault(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults = append(o.faults, what)
}
