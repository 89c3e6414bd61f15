package web

import (
	"net"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// LoopbackName reports whether a host, with or without a port, names this machine for itself:
// localhost and names below it (RFC 6761, 6.3), 127.0.0.0/8 and ::1.
func LoopbackName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// known refuses a request for a host that is not this machine, where only loopback names count. A
// page of a stranger whose name was pointed at 127.0.0.1 (DNS rebinding) would else read what this
// server shows to the people at this machine.
func (e *edge) known(c *fiber.Ctx) error {
	if !e.Loopback || LoopbackName(string(c.Request().Host())) {
		return nil
	}
	return tenants.Refuse(tenants.Forbidden, "unknown_host",
		"This server is in dev mode and answers only under localhost or 127.0.0.1. Use that name, or start it with --public.")
}
