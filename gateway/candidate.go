package gateway

import (
	"net/netip"
	"strconv"
	"strings"
)

const (
	// MaxCandidates is how many addresses of a phone are used in one ICE session. More are ignored.
	MaxCandidates = 8
	// maxProbed is how many IP addresses of an ICE session get packets from us before the phone has
	// proven that it is there. Without this limit an offer could aim our checks at strangers.
	maxProbed = 2
	// maxProbedDialled is the same for an agent that we offered to: servers have more addresses
	// than phones, and some cannot send to us first.
	maxProbedDialled = 4
	// minPort is the lowest port that we send to first. Lower ports belong to servers (RFC 6335 6),
	// and no phone has one.
	minPort = 1024
)

// candidate is a phone's address that we may send to.
type candidate struct {
	addr netip.AddrPort
	text string // without "a=candidate:"
}

// candidateAddr returns the address of a candidate line (RFC 8839 5.1), and its port. Names, which
// browsers use to hide addresses (mDNS), are never resolved: such a phone sends to us first.
func candidateAddr(value string) (netip.AddrPort, bool) {
	fields := strings.Fields(value)
	if len(fields) < 8 || len(value) > 512 || fields[6] != "typ" {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(fields[5], 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, false
	}
	ip, err := netip.ParseAddr(fields[4])
	return netip.AddrPortFrom(ip, uint16(port)), err == nil && ip.Zone() == ""
}

// usable returns the candidates that we may send to, each address once and in the given order. The
// others are no fault: a phone whose own addresses are of no use to us sends to us first, and we
// answer to where its check came from (RFC 8445 7.3.1.3). That includes a phone on TCP, since we
// dial nobody.
func usable(values []string, r reach) []candidate {
	var list []candidate
	seen := map[netip.AddrPort]bool{}
	for _, v := range values {
		addr, ok := candidateAddr(v)
		fields := strings.Fields(v)
		if !ok || !strings.EqualFold(fields[2], "udp") || fields[1] != "1" || // 1: RTP, with RTCP on its port
			!r.port(addr.Port()) || seen[addr] || !r.allows(addr.Addr()) {
			continue
		}
		seen[addr] = true
		list = append(list, candidate{addr, v})
	}
	return list
}

// hopeless reports whether all of the candidates are addresses at which no phone can be reached. A
// link-local address is not one: it shows a phone on a network without DHCP or behind 464XLAT, and
// such a phone sends to us first.
func hopeless(values []string, r reach) bool {
	for _, v := range values {
		if addr, ok := candidateAddr(v); !ok || !r.impossible(addr.Addr()) || addr.Addr().IsLinkLocalUnicast() {
			return false
		}
	}
	return len(values) > 0
}

// probes keeps the candidates of one ICE session within the limits.
type probes struct {
	addrs map[netip.AddrPort]bool
	ips   map[netip.Addr]bool
}

// add returns those of list that are new and within the limits, on at most ips IP addresses.
func (p *probes) add(list []candidate, ips int) []candidate {
	if p.addrs == nil {
		p.addrs, p.ips = map[netip.AddrPort]bool{}, map[netip.Addr]bool{}
	}
	var kept []candidate
	for _, c := range list {
		ip := c.addr.Addr()
		if p.addrs[c.addr] || len(p.addrs) == MaxCandidates || !p.ips[ip] && len(p.ips) >= ips {
			continue
		}
		p.addrs[c.addr], p.ips[ip] = true, true
		kept = append(kept, c)
	}
	return kept
}
