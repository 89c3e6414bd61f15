// Package outbound is the only dialer of addresses that tenants type: their agents' servers, and
// later their webhooks. A tenant's address must not lead us to our own machine or network, where
// an answer could tell a tenant what is there or a request could change something.
//
// The address is checked when the connection is made, not before: a name may resolve to a public
// address on the first look-up and to 127.0.0.1 on the second (DNS rebinding).
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// MaxURL is the longest address of a tenant, in bytes.
	MaxURL = 2048
	// ConnectWithin bounds TCP and TLS together. The contexts and time-outs of callers are shorter.
	ConnectWithin = 20 * time.Second
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 16 << 10
	// idleMost and idlePerHost bound the connections that a client keeps for later requests.
	// Several connections of a tenant often name one host, which eight requests at once go to:
	// with fewer kept, most of them would dial, and shake hands for TLS.
	idleMost, idlePerHost = 64, 16
)

// ErrForbidden is the error of an address that tenants may not reach. Its text is for the tenant:
// it names no address of ours.
var ErrForbidden = errors.New("the address is in a private or reserved network; give a public one, " +
	"or ask the operator to allow its network (CARILLON_ALLOW_PRIVATE_TARGETS)")

// forbidden is ErrForbidden for one host.
type forbidden struct{ host string }

func (forbidden) Error() string        { return ErrForbidden.Error() }
func (forbidden) Is(target error) bool { return target == ErrForbidden }

// Forbidden returns the host that was asked for, as it was typed, if err is ErrForbidden.
func Forbidden(err error) (host string, ok bool) {
	var f forbidden
	errors.As(err, &f)
	return f.host, errors.Is(err, ErrForbidden)
}

// naming has the error of a forbidden address name the host.
func naming(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if errors.Is(err, ErrForbidden) {
			host, _, _ := net.SplitHostPort(addr)
			return nil, forbidden{host}
		}
		return conn, err
	}
}

// ErrPlain is the error of a plain address that is not in one of the allowed networks.
var ErrPlain = errors.New("the address is not encrypted; calls and keys must be encrypted on the way, so give wss:// or https://")

// ErrRedirect is the error of a server that answers with a redirect: the address it names was not
// checked by anybody.
var ErrRedirect = errors.New("the server answered with a redirect; give the address it redirects to")

// ErrSwitched is the error of a server that changes to another protocol. What follows is no answer,
// and no time-out of a request would end reading it.
var ErrSwitched = errors.New("the server answered 101, which changes the protocol, and nobody asked for that; check the address")

// Dialer connects to addresses of tenants. The zero Dialer allows public addresses only.
type Dialer struct {
	allowed []netip.Prefix
	plain   bool
	lookup  *net.Resolver
	roots   *x509.CertPool
}

// Option changes a Dialer.
type Option func(*Dialer)

// AllowPlain allows http:// and ws:// to every address. It is for dev mode.
func AllowPlain() Option { return func(d *Dialer) { d.plain = true } }

// WithResolver looks names up with r. It is for tests.
func WithResolver(r *net.Resolver) Option { return func(d *Dialer) { d.lookup = r } }

// WithRoots trusts the certificates of these authorities only. It is for tests.
func WithRoots(p *x509.CertPool) Option { return func(d *Dialer) { d.roots = p } }

// New returns a Dialer that also reaches the given networks. It is also what allows ws:// and
// http:// there: an address in them is on the operator's own network.
func New(allowed []netip.Prefix, options ...Option) *Dialer {
	d := &Dialer{allowed: allowed}
	for _, o := range options {
		o(d)
	}
	return d
}

// CheckURL refuses what is no address of one of the schemes, such as "https" and "wss". The plain
// forms "http" and "ws" are taken in dev mode, and where the operator allows networks: whether a
// name is in one of them is checked when it is dialled. The refusal is a sentence for the tenant.
func (d *Dialer) CheckURL(text string, schemes ...string) error {
	if len(text) > MaxURL {
		return fmt.Errorf("at most %d characters", MaxURL)
	}
	u, err := url.Parse(text)
	want := schemes[0] + "://…"
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("a complete address such as %shost/path", strings.TrimSuffix(want, "…"))
	case u.User != nil:
		return errors.New("no user name or password in the address; they would show in logs")
	case u.Fragment != "":
		return errors.New("no # in the address")
	}
	if slices.Contains(schemes, u.Scheme) {
		return d.checkHost(u.Hostname())
	}
	secure := map[string]string{"http": "https", "ws": "wss"}[u.Scheme]
	if secure == "" || !slices.Contains(schemes, secure) {
		return fmt.Errorf("%s, not %s://", want, u.Scheme)
	}
	if !d.mayBePlain(u.Hostname()) {
		return fmt.Errorf("%s: calls and keys must be encrypted on the way", want)
	}
	return d.checkHost(u.Hostname())
}

// mayBePlain reports whether the host may be reached without TLS, as far as its text tells.
func (d *Dialer) mayBePlain(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return d.plain || len(d.allowed) > 0
	}
	return d.plain || d.isAllowed(ip.Unmap())
}

// checkHost refuses a host that is written as a number and forbidden.
func (d *Dialer) checkHost(host string) error {
	ip, err := netip.ParseAddr(host)
	if err == nil && !d.permits(ip) {
		return forbidden{host}
	}
	if err != nil && !d.plain && len(d.allowed) == 0 && isLocalName(host) {
		return forbidden{host}
	}
	return nil
}

// isLocalName reports whether a name always means this machine or its own network (RFC 6761, RFC
// 6762).
func isLocalName(host string) bool {
	h := strings.ToLower(strings.TrimSuffix(host, "."))
	return h == "localhost" || strings.HasSuffix(h, ".localhost") || strings.HasSuffix(h, ".local")
}

// DialContext connects to a host and port. Every address that the name resolves to is checked at
// the moment of the connection.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d.dialer(false).DialContext(ctx, network, addr)
}

// dialer connects to permitted addresses. A plain one connects without TLS.
func (d *Dialer) dialer(plain bool) *net.Dialer {
	return &net.Dialer{
		Timeout: ConnectWithin, KeepAlive: 30 * time.Second, Resolver: d.lookup,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !d.permits(ap.Addr()) {
				return ErrForbidden
			}
			if plain && !d.plain && !d.isAllowed(ap.Addr().Unmap()) {
				return ErrPlain
			}
			return nil
		},
	}
}

// DialTLS connects to a host and port over TLS 1.2 or later and checks the certificate for the
// host.
func (d *Dialer) DialTLS(ctx context.Context, addr string) (*tls.Conn, error) {
	conn, err := d.secure().DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

func (d *Dialer) secure() *tls.Dialer {
	return &tls.Dialer{NetDialer: d.dialer(false), Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: d.roots}}
}

// Client returns an HTTP/1.1 client for tenants' addresses: TLS 1.2 or later, no proxy, no
// redirects, no cookies, and each request takes at most timeout. 0 is for WebSockets: each request
// takes until its context ends, and only then may a server change the protocol. Close its idle
// connections when it is done.
func (d *Dialer) Client(timeout time.Duration) *http.Client {
	secure := d.secure()
	t := &http.Transport{
		DialContext: naming(d.dialer(true).DialContext), DialTLSContext: naming(secure.DialContext),
		ResponseHeaderTimeout: timeout, MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns: idleMost, MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: time.Minute,
	}
	c := &http.Client{Timeout: timeout, Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return ErrRedirect }}
	if timeout > 0 {
		c.Transport = answering{t}
	}
	return c
}

// answering is a transport of requests that get an answer, and no other protocol.
type answering struct{ *http.Transport }

func (a answering) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := a.Transport.RoundTrip(q)
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		_ = res.Body.Close()
		return nil, ErrSwitched
	}
	return res, err
}

// Cause says in one sentence why a request failed, for the tenant: without the far end's words and
// without our own addresses.
func Cause(err error) string {
	var (
		dns     *net.DNSError
		unknown *tls.CertificateVerificationError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, ErrForbidden):
		return ErrForbidden.Error()
	case errors.Is(err, ErrPlain):
		return ErrPlain.Error()
	case errors.Is(err, ErrRedirect):
		return ErrRedirect.Error()
	case errors.Is(err, ErrSwitched):
		return ErrSwitched.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the server's name is not in the DNS; check the address"
	case errors.As(err, &dns):
		return "the DNS did not answer for the server's name; try again, then check the name's DNS servers"
	case errors.As(err, &unknown):
		return "the server's certificate is not valid for this name; renew it, or give the name it is for"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS on this port; check the port"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at this address and port; start the server, or check the port"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "there is no route to the server; check the address"
	case isTimeout(err):
		return "the server did not answer in time; check that it runs and that a firewall lets us in"
	case errors.Is(err, syscall.ECONNRESET):
		return "the server closed the connection before it answered"
	}
	return "the connection failed"
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// permits reports whether a tenant's address may be ip. What wraps an IPv4 address is judged by
// that address.
func (d *Dialer) permits(ip netip.Addr) bool {
	ip = ip.Unmap()
	if ip.Zone() != "" {
		return false // link-local with an interface of ours
	}
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if d.isAllowed(ip) {
		return true
	}
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return false
	}
	return !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func (d *Dialer) isAllowed(ip netip.Addr) bool {
	return slices.ContainsFunc(d.allowed, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// nat64 wraps an IPv4 address (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// reserved holds the ranges that are not on the public internet and that package netip has no name
// for (IANA special-purpose address registries).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier NAT, RFC 6598; some clouds serve metadata there
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),           // IPv4-compatible, RFC 4291 2.5.5.1
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated, RFC 2765
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64, RFC 8215
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),     // Teredo, ORCHID and other protocol addresses
	netip.MustParsePrefix("2001:db8::/32"), // documentation
	netip.MustParsePrefix("2002::/16"),     // 6to4 wraps any IPv4 address
	netip.MustParsePrefix("3fff::/20"),     // documentation
	netip.MustParsePrefix("5f00::/16"),     // segment routing
	netip.MustParsePrefix("fec0::/10"),     // old site-local
}
