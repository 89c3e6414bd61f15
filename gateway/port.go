package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// socketBuffer is the buffer requested from the kernel for each direction, in bytes. All calls
// share one socket, and a burst of a hundred calls must not overflow it.
const socketBuffer = 8 << 20

// How long a TCP connection may take to say which call it is for, and how long one for a call that
// is not known here is kept: its offer may still be on the way.
const (
	tcpFirstWithin = 5 * time.Second
	tcpUnknownFor  = 10 * time.Second
)

// port is the one UDP port (and optional TCP port) that all calls share.
type port struct {
	udp     ice.UDPMux
	tcp     ice.TCPMux
	sockets []*socket
}

// socket is a UDP socket that remembers the error that stopped its reader.
type socket struct {
	*net.UDPConn
	broken atomic.Pointer[error]
}

func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := s.ReadFromUDPAddrPort(b)
	if err != nil {
		s.broken.Store(&err)
	}
	return n, from, err
}

func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return s.WriteToUDPAddrPort(b, to)
}

func openPort(cfg Config, logs logging.LoggerFactory) (*port, error) {
	addr, err := net.ResolveUDPAddr("udp", cfg.UDPAddr)
	if err != nil {
		return nil, fmt.Errorf("RTC UDP address %q: %w", cfg.UDPAddr, err)
	}
	p := &port{}
	if err := p.openUDP(addr, cfg, logs); err != nil {
		return nil, err
	}
	if cfg.TCPAddr == "" {
		return p, nil
	}
	listener, err := net.Listen("tcp", cfg.TCPAddr)
	if err != nil {
		_ = p.close()
		return nil, fmt.Errorf("RTC TCP address %q: %w", cfg.TCPAddr, err)
	}
	if cfg.ListenTCP != nil {
		listener = cfg.ListenTCP(listener)
	}
	p.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: listener, Logger: logs.NewLogger("tcp"),
		FirstStunBindTimeout: tcpFirstWithin, AliveDurationForConnFromStun: tcpUnknownFor,
		ReadBufferSize: 32, WriteBufferSize: 64 << 10,
	})
	return p, nil
}

// openUDP listens on addr. On the unspecified address it listens on each
// interface's own address, so that a reply comes from the address that the phone sent to.
// Behind a one-to-one NAT (PublicIPs) a single socket is enough.
func (p *port) openUDP(addr *net.UDPAddr, cfg Config, logs logging.LoggerFactory) error {
	addrs := []*net.UDPAddr{addr}
	if addr.IP == nil || addr.IP.IsUnspecified() {
		if len(cfg.PublicIPs) == 0 {
			var err error
			if addrs, err = ownAddrs(addr, cfg.AllowLoopback); err != nil {
				return err
			}
		}
	}
	conns, err := listenAll(addrs, net.ListenUDP)
	if err != nil {
		return err
	}
	muxes := make([]ice.UDPMux, 0, len(conns))
	for _, conn := range conns {
		_ = conn.SetReadBuffer(socketBuffer) // the kernel may give less; that is not an error
		_ = conn.SetWriteBuffer(socketBuffer)
		s := &socket{UDPConn: conn}
		p.sockets = append(p.sockets, s)
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: s, Logger: logs.NewLogger("udp")}))
	}
	p.udp = muxes[0]
	if len(muxes) > 1 {
		p.udp = ice.NewMultiUDPMuxDefault(muxes...)
	}
	return nil
}

// portTries is how often we try another port for port 0 when the port that is free on the first
// address is in use on another one.
const portTries = 20

// listenAll listens on one port of every address; port 0 picks one that is free on all of them.
func listenAll(addrs []*net.UDPAddr, listen func(string, *net.UDPAddr) (*net.UDPConn, error)) (conns []*net.UDPConn, err error) {
	for range portTries {
		if conns, err = listenEach(addrs, listen); err == nil || addrs[0].Port != 0 || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return conns, err
}

func listenEach(addrs []*net.UDPAddr, listen func(string, *net.UDPAddr) (*net.UDPConn, error)) (conns []*net.UDPConn, err error) {
	for _, a := range addrs {
		at := *a
		if len(conns) > 0 && at.Port == 0 {
			at.Port = conns[0].LocalAddr().(*net.UDPAddr).Port
		}
		conn, err := listen("udp", &at)
		if err != nil {
			for _, c := range conns {
				_ = c.Close()
			}
			return nil, fmt.Errorf("RTC UDP address %s: %w", &at, err)
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

// ownAddrs lists this machine's addresses of addr's family, with addr's port.
func ownAddrs(addr *net.UDPAddr, loopback bool) ([]*net.UDPAddr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("network interfaces: %w", err)
	}
	only4 := addr.IP != nil && addr.IP.To4() != nil
	var own []*net.UDPAddr
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLinkLocalUnicast() || n.IP.IsMulticast() ||
			n.IP.IsLoopback() && !loopback || only4 && n.IP.To4() == nil {
			continue
		}
		own = append(own, &net.UDPAddr{IP: n.IP, Port: addr.Port})
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("RTC UDP address %s: no network interface to listen on", addr)
	}
	return own, nil
}

// addr returns the local address that phones send to, without NAT.
func (p *port) addr() net.Addr { return p.sockets[0].LocalAddr() }

// healthy returns the error that stopped a socket from receiving, or nil.
func (p *port) healthy() error {
	for _, s := range p.sockets {
		if err := s.broken.Load(); err != nil {
			return fmt.Errorf("UDP %s: %w", s.LocalAddr(), *err)
		}
	}
	return nil
}

func (p *port) close() error {
	err := p.udp.Close()
	if p.tcp != nil {
		if e := p.tcp.Close(); err == nil {
			err = e
		}
	}
	return err
}
