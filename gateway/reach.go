package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// reach says to which addresses of a phone the gateway may send packets first. Without it an offer
// could make us send packets to any host of our own network.
type reach struct {
	loopback, private bool
	own               map[netip.Addr]bool // this machine's: nothing is sent there, unless phones are on it
	servers           bool                // the other side may be a server, with the port 443
	targets           []netip.Prefix      // allowed in any case
}

// toAgents returns the reach to agents that we offer to. Those on private networks are in targets.
func (r reach) toAgents(targets []netip.Prefix) reach {
	r.servers, r.targets = true, targets
	return r
}

// target reports whether ip is one of the targets.
func (r reach) target(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(r.targets, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// port reports whether packets may go to this port first.
func (r reach) port(n uint16) bool { return n >= minPort || r.servers && n == 443 }

func newReach(cfg Config) (reach, error) {
	r := reach{loopback: cfg.AllowLoopback, private: cfg.AllowPrivate, own: map[netip.Addr]bool{}}
	if cfg.AllowLoopback {
		return r, nil // the phones are on this machine, and have its addresses
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return r, fmt.Errorf("network interfaces: %w", err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			r.own[p.Addr().Unmap().WithZone("")] = true
		}
	}
	for _, s := range cfg.PublicIPs {
		r.own[netip.MustParseAddr(s).Unmap()] = true // New has checked them
	}
	return r, nil
}

// impossibleRanges holds ranges that no phone can have (IANA special-purpose registries).
// Link-local is one of them because cloud providers serve metadata there.
var impossibleRanges = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/3"), // multicast, reserved, broadcast
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),       // 6to4 wraps any IPv4 address
	netip.MustParsePrefix("2001::/32"),       // Teredo, RFC 4380: likewise
	netip.MustParsePrefix("64:ff9b:1::/48"),  // RFC 8215: likewise, on a local network
	netip.MustParsePrefix("::/96"),           // IPv4-compatible, RFC 4291 2.5.5.1: likewise
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated, RFC 2765: likewise
}

var (
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // carrier NAT, RFC 6598
	nat64       = netip.MustParsePrefix("64:ff9b::/96")  // RFC 6052: wraps an IPv4 address
)

// allows reports whether packets may go to ip.
func (r reach) allows(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if r.target(ip) {
		return true
	}
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if r.impossible(ip) || r.own[ip] {
		return false
	}
	if ip.IsPrivate() || sharedSpace.Contains(ip) {
		return r.private
	}
	return true
}

// impossible reports whether nobody on any network that we reach can have ip.
func (r reach) impossible(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() || ip.IsUnspecified() {
		return true
	}
	if r.target(ip) {
		return false
	}
	if ip.IsLoopback() {
		return !r.loopback
	}
	for _, p := range impossibleRanges {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
