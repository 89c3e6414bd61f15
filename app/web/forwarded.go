package web

import (
	"log/slog"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// UnknownIP is what IP returns when a trusted proxy sent an address that cannot be read. Such
// clients share one bucket of every limit; the proxy's own address would join them with others.
const UnknownIP = "unknown"

// IP is the client's address, or UnknownIP. X-Forwarded-For is read from its end, and only as far
// as trusted proxies wrote it; the client may have forged the rest.
func IP(c *fiber.Ctx) string {
	at, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return ""
	}
	at = at.Unmap()
	v, ok := visitOf(c)
	if !ok || !v.edge.trusts(at) {
		return at.String()
	}
	hops := forwarded(c)
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := hopAddr(hops[i])
		if !ok {
			v.edge.unreadable(hops[i], at)
			return UnknownIP
		}
		if at = hop; !v.edge.trusts(at) {
			break
		}
	}
	return at.String()
}

// forwarded lists the elements of X-Forwarded-For, without the empty ones that a trailing comma
// makes (RFC 9110, 5.6.1).
func forwarded(c *fiber.Ctx) (hops []string) {
	for _, h := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		for hop := range strings.SplitSeq(string(h), ",") {
			if hop = strings.Trim(hop, " \t"); hop != "" {
				hops = append(hops, hop)
			}
		}
	}
	return hops
}

// hopAddr reads the address of one element. Proxies write it with quotes, brackets, a port or a
// zone: `"[2001:db8::7]:51234"`.
func hopAddr(hop string) (netip.Addr, bool) {
	hop = strings.Trim(hop, `"\ `+"\t")
	host, port := hop, ""
	if inner, ok := strings.CutPrefix(hop, "["); ok {
		if host, port, ok = strings.Cut(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	} else if _, err := netip.ParseAddr(hop); err != nil {
		if colon := strings.LastIndexByte(hop, ':'); colon > 0 {
			host, port = hop[:colon], hop[colon:]
		}
	}
	if port != "" {
		digits, ok := strings.CutPrefix(port, ":")
		if _, err := strconv.ParseUint(digits, 10, 16); !ok || err != nil {
			return netip.Addr{}, false
		}
	}
	at, err := netip.ParseAddr(strings.TrimSpace(host))
	return at.Unmap().WithZone(""), err == nil
}

func (e *edge) trusts(a netip.Addr) bool {
	for _, p := range e.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// hopShown is how much of an unreadable element is logged.
const hopShown = 64

// unreadable counts an element that cannot be read, and logs the first one.
func (e *edge) unreadable(hop string, from netip.Addr) {
	if e.Counts.ForwardedUnreadable.Add(1) == 1 {
		e.Log.Warn("a trusted proxy sent an X-Forwarded-For that cannot be read: clients without a known address share one limit; "+
			"let the proxy write plain addresses",
			slog.String("proxy", from.String()), slog.String("element", hop[:min(len(hop), hopShown)]))
	}
}

// checkProxy counts a request that says it came through a proxy that is not trusted, and logs the
// first one: if it is the operator's own proxy, all its clients share one limit.
func (e *edge) checkProxy(c *fiber.Ctx) {
	if len(c.Request().Header.Peek(fiber.HeaderXForwardedFor)) == 0 {
		return
	}
	at, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if at = at.Unmap(); !ok || e.trusts(at) {
		return
	}
	if e.Counts.ForwardedUntrusted.Add(1) == 1 {
		e.Log.Warn("requests come with X-Forwarded-For from an address that CARILLON_TRUSTED_PROXIES does not name: if that is your "+
			"proxy, add it, or all its clients count as one address", slog.String("from", at.String()))
	}
}
