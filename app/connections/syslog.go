package connections

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"carillon/app/outbound"
	"carillon/tenants"
)

const (
	// syslogMessage bounds a message, in bytes: every receiver of RFC 5425 takes 2,048 (4.3.1).
	syslogMessage = 2048
	// syslogID is the SD-ID of our structured data. 32473 is the enterprise number for
	// documentation (RFC 5612): Carillon has no own, and a name without a number is IANA's.
	syslogID = "carillon@32473"
	// syslogWithin bounds one delivery, from the connection to its end.
	syslogWithin = 10 * time.Second
)

// The severities in use (RFC 5424, 6.2.1). Rings are many and expected; changes by people are not.
const (
	severityNotice = 5
	severityInfo   = 6
)

// syslogLine is an audit entry as one message of RFC 5424. host is the name of this server.
func syslogLine(s tenants.AuditSettings, host string, e auditEntry) []byte {
	severity := severityNotice
	d := e.Data
	if strings.HasPrefix(d.Action, "ring.") {
		severity = severityInfo
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s carillon - %s ", s.SyslogFacility()*8+severity, e.At.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		printable(host, 255), printable(d.Action, 32))
	fmt.Fprintf(&b, "[%s", syslogID)
	for _, p := range [][2]string{
		{"seq", fmt.Sprint(d.Seq)}, {"tenant", string(d.Tenant)}, {"action", d.Action}, {"actorKind", string(d.Actor.Kind)},
		{"actorId", d.Actor.ID}, {"actorName", d.Actor.Name}, {"target", d.Target}, {"ip", d.IP}, {"requestId", d.RequestID},
	} {
		if p[1] != "" {
			fmt.Fprintf(&b, ` %s="%s"`, p[0], parameter(cut(p[1], 120)))
		}
	}
	// The mark at the front says that the text is UTF-8 (RFC 5424, 6.4).
	b.WriteString("] \ufeff")
	text := fmt.Sprintf("%s %s by %s %s", d.Action, d.Target, d.Actor.Kind, d.Actor.Name)
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	b.WriteString(cut(oneLine(text), syslogMessage-b.Len()))
	return b.Bytes()
}

// frame counts the octets of a message (RFC 5425, 4.3).
func frame(message []byte) []byte { return append(fmt.Appendf(nil, "%d ", len(message)), message...) }

// printable is a header field: visible ASCII, at most n characters, "-" if nothing is left.
func printable(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < '!' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s = s[:min(len(s), n)]; s == "" {
		return "-"
	}
	return s
}

// parameter escapes a value of structured data (RFC 5424, 6.3.3).
func parameter(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(oneLine(s))
}

// oneLine replaces what would break a line or is no UTF-8.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// cut shortens a text to n bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:max(n, 0)]
}

// sendSyslog writes one message over TLS and waits for the receiver to close. Syslog has no
// answers: a receiver that closes in order has read everything before, and one that resets the
// connection may not have. A receiver that keeps its side open has the message in its TCP buffer,
// which is all that one can know.
func sendSyslog(ctx context.Context, d *outbound.Dialer, address string, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, syslogWithin)
	defer cancel()
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	conn, err := d.DialTLS(ctx, u.Host)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err = conn.Write(frame(message)); err != nil {
		return err
	}
	if err = conn.CloseWrite(); err != nil {
		return err
	}
	return awaitClose(conn)
}

// syslogLinger is how long a receiver may take to close after us.
const syslogLinger = 2 * time.Second

func awaitClose(conn *tls.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(syslogLinger))
	_, err := io.Copy(io.Discard, io.LimitReader(conn, 1<<10))
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout(), errors.Is(err, io.ErrUnexpectedEOF):
		// Some receivers close TCP without TLS's own end.
		return nil
	}
	return err
}
