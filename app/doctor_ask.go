package app

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"carillon/app/billing"
	"carillon/gateway"
)

// askApple connects to one of Apple's hosts as a push does: TLS and HTTP/2. It sends no provider
// token: Apple takes a new one only every 20 minutes, and the server needs that one.
func (c checked) askApple(ctx context.Context, host string) billing.Finding {
	bad := func(why any) billing.Finding {
		return billing.Finding{Text: fmt.Sprintf("Apple's host %s cannot be reached: %v; let this machine connect to it on "+
			"port 443 (or 2197), without a proxy that opens TLS", host, why)}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, host, nil)
	if err != nil {
		return bad(err)
	}
	a, err := transport.RoundTrip(q)
	if err != nil {
		return bad(err)
	}
	if err := a.Body.Close(); err != nil {
		return bad(err)
	}
	if a.ProtoMajor != 2 {
		return bad("it answers in " + a.Proto + ", and pushes need HTTP/2")
	}
	return billing.Finding{OK: true, Text: "Apple's host " + host + " answers"}
}

func askICEServer(ctx context.Context, url string, s gateway.ICEServer) billing.Finding {
	if err := gateway.CheckServer(ctx, url, s); err != nil {
		return billing.Finding{Text: fmt.Sprintf("%s does not help phones: %v; check its host, port and transport in "+
			"CARILLON_RTC_ICE_SERVERS and, for TURN, CARILLON_RTC_TURN_SECRET", url, err)}
	}
	return billing.Finding{OK: true, Text: url + " answers"}
}

// clockMost is how far the clock may be off. Apple refuses a provider token of another hour, TURN
// credentials and one-time passwords hold for minutes.
const clockMost = 30 * time.Second

// askClock compares the clock with an NTP server. A server that does not answer is no fault: many
// networks let no NTP out, and the clock may still be right.
func askClock(ctx context.Context, server string, now func() time.Time) billing.Finding {
	theirs, err := ntpTime(ctx, server)
	if err != nil {
		return billing.Finding{OK: true, Text: fmt.Sprintf("the clock was not compared: %s does not answer (%v)", server, err)}
	}
	off := now().Sub(theirs).Round(time.Second / 10)
	if off.Abs() > clockMost {
		return billing.Finding{Text: fmt.Sprintf("the clock is %s off (positive = ahead) from %s: Apple refuses our tokens and phones' "+
			"events get wrong times; synchronise it, for example with chrony or systemd-timesyncd", off, server)}
	}
	return billing.Finding{OK: true, Text: fmt.Sprintf("the clock agrees with %s (%s off)", server, off)}
}

// ntpEpoch is the moment that NTP counts from.
var ntpEpoch = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

// ntpTime asks a server for the time (SNTP, RFC 4330). The way there and back is not taken off: it
// is far below clockMost.
func ntpTime(ctx context.Context, server string) (time.Time, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "udp", server)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return time.Time{}, err
		}
	}
	packet := make([]byte, 48)
	packet[0] = 4<<3 | 3 // version 4, client
	if _, err := conn.Write(packet); err != nil {
		return time.Time{}, err
	}
	if n, err := conn.Read(packet); err != nil {
		return time.Time{}, err
	} else if n < 48 || packet[0]&7 != 4 || packet[1] == 0 {
		return time.Time{}, errors.New("it answers without a time")
	}
	seconds := binary.BigEndian.Uint32(packet[40:]) // of the answer, until 2036
	return ntpEpoch.Add(time.Duration(seconds) * time.Second), nil
}
