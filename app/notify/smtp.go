package notify

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"

	smtp "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// server is the SMTP server and how to log in to it.
type server struct {
	host    string
	from    wireAddress
	options []smtp.Option
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
	s := server{host: u.Hostname()}
	if s.host, err = asciiDomain(s.host); err != nil {
		return server{}, fmt.Errorf("the host %s is not a valid name: %w", u.Hostname(), err)
	}
	from := u.Query().Get("from")
	if from == "" && u.User != nil {
		from = u.User.Username()
	}
	a, err := mail.ParseAddress(from)
	if err != nil {
		return server{}, errors.New("names no sender; add ?from=carillon@example.com")
	}
	if s.from, err = onWire(a.Address); err != nil {
		return server{}, err
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

// wireAddress is an address as SMTP carries it: its domain is in ASCII.
type wireAddress struct {
	text string
	utf8 bool // the part before the @ is not ASCII, so every server on the way needs SMTPUTF8 (RFC 6531)
}

// onWire converts an address. A domain that is not ASCII is encoded by IDNA (RFC 5891), which every
// server understands.
func onWire(address string) (wireAddress, error) {
	at := strings.LastIndexByte(address, '@')
	local, domain := address[:at], address[at+1:]
	ascii, err := asciiDomain(domain)
	if err != nil {
		return wireAddress{}, fmt.Errorf("%w: its domain %s is not a valid name: %w", ErrRefused, domain, err)
	}
	return wireAddress{text: local + "@" + ascii, utf8: !isASCII(local)}, nil
}

func asciiDomain(domain string) (string, error) {
	if isASCII(domain) {
		return domain, nil
	}
	return idna.Lookup.ToASCII(domain)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

// send delivers one mail. An error that wraps ErrRefused is final.
func (s server) send(ctx context.Context, l Mail) error {
	to, err := onWire(l.To)
	if err != nil {
		return err
	}
	m := smtp.NewMsg()
	if err := errors.Join(m.From(s.from.text), m.To(to.text)); err != nil {
		return err
	}
	m.Subject(l.Subject)
	m.SetMessageID()
	m.SetDate()
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, 5: no holiday replies
	if l.Unsubscribe != "" {                           // RFC 2369, 3.2 and RFC 8058, 3.1
		m.SetGenHeader("List-Unsubscribe", "<"+l.Unsubscribe+">")
		m.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	m.SetBodyString(smtp.TypeTextPlain, l.Text)
	if l.HTML != "" {
		m.AddAlternativeString(smtp.TypeTextHTML, l.HTML)
	}
	options := slices.Clone(s.options)
	utf8 := to.utf8 || s.from.utf8
	if !utf8 { // asked for without need, it makes a later server refuse the mail
		options = append(options, smtp.WithoutSMTPUTF8())
	}
	client, err := smtp.NewClient(s.host, options...)
	if err != nil {
		return err
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = client.CloseWithSMTPClient(conn) }() // the mail is delivered by then, or has its error
	if ok, _ := conn.Extension("SMTPUTF8"); utf8 && !ok {
		return fmt.Errorf("%w: the part before the @ is not in ASCII letters, and the mail server %s does not offer SMTPUTF8",
			ErrRefused, s.host)
	}
	err = client.SendWithSMTPClient(conn, m)
	if m.IsDelivered() {
		return nil // what failed after that must not send it twice
	}
	return final(err)
}

// final marks an answer 5xx about the recipient or the mail as final (RFC 5321, 4.2.1). One about
// the sender is not: it is the operator's to mend, and the mail can be sent then.
func final(err error) error {
	var e *smtp.SendError
	if !errors.As(err, &e) || e.ErrorCode() < 500 || e.ErrorCode() > 599 {
		return err
	}
	switch e.Reason {
	case smtp.ErrSMTPRcptTo, smtp.ErrSMTPData, smtp.ErrSMTPDataClose:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}
