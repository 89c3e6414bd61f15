package connectionstest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// Message is a syslog message as a strict receiver reads it (RFC 5424, 6).
type Message struct {
	Facility, Severity     int
	At                     time.Time
	Host, App, Process, ID string
	Data                   map[string]map[string]string // SD-ID → name → value
	Text                   string
}

// Syslog is a receiver of syslog over TLS (RFC 5425) that refuses what the RFCs do not allow.
type Syslog struct {
	Addr     string
	Messages chan Message
	Faults   chan error

	listener net.Listener
	wg       sync.WaitGroup
}

// NewSyslog starts a receiver with this certificate; it ends with the test.
func NewSyslog(t testing.TB, certificate tls.Certificate) *Syslog {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	s := &Syslog{Addr: l.Addr().String(), Messages: make(chan Message, 100), Faults: make(chan error, 100), listener: l}
	s.wg.Go(s.accept)
	t.Cleanup(func() { _ = l.Close(); s.wg.Wait() })
	return s
}

func (s *Syslog) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if err := s.read(bufio.NewReader(conn)); !errors.Is(err, io.EOF) {
				s.Faults <- err
			}
		})
	}
}

// read takes frames until one is wrong or the sender has closed, which is io.EOF. A frame is
// SYSLOG-FRAME = MSG-LEN SP SYSLOG-MSG (RFC 5425, 4.3).
func (s *Syslog) read(r *bufio.Reader) error {
	for {
		length, err := r.ReadString(' ')
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil || n < 1 || n > 2048 || length[0] == '0' {
			return fmt.Errorf("MSG-LEN %q", length)
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(r, text); err != nil {
			return err
		}
		m, err := ParseMessage(string(text))
		if err != nil {
			return fmt.Errorf("%w in %q", err, text)
		}
		s.Messages <- m
	}
}

// header is HEADER SP (RFC 5424, 6): PRI VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP
// MSGID SP.
var header = regexp.MustCompile(`^<(0|[1-9]\d{0,2})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ` +
	`([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `)

// ParseMessage reads a message by the grammar of RFC 5424 and refuses everything else.
func ParseMessage(text string) (m Message, err error) {
	h := header.FindStringSubmatch(text)
	if h == nil {
		return m, errors.New("no HEADER")
	}
	pri, _ := strconv.Atoi(h[1])
	if pri > 191 {
		return m, errors.New("PRIVAL over 191")
	}
	if m.At, err = time.Parse(time.RFC3339, h[2]); err != nil {
		return m, err
	}
	m.Facility, m.Severity, m.Host, m.App, m.Process, m.ID = pri/8, pri%8, h[3], h[4], h[5], h[6]
	rest := text[len(h[0]):]
	if m.Data, rest, err = elements(rest); err != nil {
		return m, err
	}
	if rest == "" {
		return m, nil
	}
	body, ok := strings.CutPrefix(rest, " \ufeff")
	if !ok || !utf8.ValidString(body) || strings.ContainsAny(body, "\x00\n\r") {
		return m, errors.New("MSG is no UTF-8 behind a BOM, or has several lines")
	}
	m.Text = body
	return m, nil
}

// elements reads STRUCTURED-DATA (RFC 5424, 6.3).
func elements(s string) (map[string]map[string]string, string, error) {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return nil, rest, nil
	}
	all := map[string]map[string]string{}
	for strings.HasPrefix(s, "[") {
		id := name.FindString(s[1:])
		if id == "" || all[id] != nil {
			return nil, "", errors.New("an SD-ID that is none, or is there twice")
		}
		s = s[1+len(id):]
		all[id] = map[string]string{}
		for strings.HasPrefix(s, " ") {
			n := name.FindString(s[1:])
			rest, ok := strings.CutPrefix(s[1+len(n):], `="`)
			if n == "" || !ok {
				return nil, "", errors.New("no SD-PARAM")
			}
			var value string
			var err error
			if value, s, err = quoted(rest); err != nil {
				return nil, "", err
			}
			all[id][n] = value
		}
		rest, ok := strings.CutPrefix(s, "]")
		if !ok {
			return nil, "", errors.New("an SD-ELEMENT does not end")
		}
		s = rest
	}
	if len(all) == 0 {
		return nil, "", errors.New("no STRUCTURED-DATA")
	}
	return all, s, nil
}

// name is an SD-NAME: visible ASCII without '=', ' ', ']' and '"'.
var name = regexp.MustCompile(`^[!#-<>-\\^-~]{1,32}`)

// quoted reads a PARAM-VALUE up to its quote: '"', '\' and ']' are escaped.
func quoted(s string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return b.String(), s[i+1:], nil
		case ']':
			return "", "", errors.New("a ] in a value is not escaped")
		case '\\':
			if i++; i >= len(s) || !strings.ContainsRune(`"\]`, rune(s[i])) {
				return "", "", errors.New("an escape of nothing")
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a value does not end")
}
