package web

import (
	"net/netip"

	"carillon/tenants"
)

// Network is the address, or for IPv6 the /64 that one household has. A text that is no address
// stays as it is.
func Network(ip string) string { return networkOf(ip, 32, 64) }

// WiderNetworks are the networks around Network, which one customer of a provider or of a cloud can
// have whole: /24 for IPv4, /56 and /48 for IPv6 (RFC 6177).
func WiderNetworks(ip string) []string {
	a, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
		return nil
	case a.Unmap().Is4():
		return []string{networkOf(ip, 24, 0)}
	}
	return []string{networkOf(ip, 0, 56), networkOf(ip, 0, 48)}
}

// NetworkRates are the rates of an address: one of its Network, and wider of each of its
// WiderNetworks.
func NetworkRates(ip string, one, wider tenants.Rate) []tenants.Rate {
	rates := []tenants.Rate{one.For(Network(ip))}
	for _, n := range WiderNetworks(ip) {
		rates = append(rates, wider.For(n))
	}
	return rates
}

func networkOf(ip string, bits4, bits6 int) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	a = a.Unmap().WithZone("")
	bits := bits6
	if a.Is4() {
		if bits = bits4; bits == 32 {
			return a.String()
		}
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ip
	}
	return p.String()
}
