// Package natstest is a NATS server inside this process, for tests and for dev mode with several
// nodes. It can go away and come back at the same address.
package natstest

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server is one NATS server on this machine.
type Server struct {
	options server.Options // of a server that speaks TLS

	mu   sync.Mutex // guards both
	port int
	at   *server.Server // nil = away
}

// New starts a server on a free port.
func New() (*Server, error) { return At(server.RANDOM_PORT) }

// At starts a server on a port.
func At(port int) (*Server, error) {
	s := &Server{port: port}
	return s, s.Start()
}

// Counts are messages since the server started.
type Counts struct {
	In  int64 `json:"in"`  // from nodes
	Out int64 `json:"out"` // to nodes
}

// Counts reads how many messages went through.
func (s *Server) Counts() (Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		return Counts{}, errors.New("the NATS server is away")
	}
	v, err := s.at.Varz(nil)
	if err != nil {
		return Counts{}, err
	}
	return Counts{v.InMsgs, v.OutMsgs}, nil
}

// Start starts the server again after Stop, at the same address.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.options
	o.Host, o.Port, o.NoLog, o.NoSigs, o.NoSystemAccount = "127.0.0.1", s.port, true, true, true
	at, err := server.NewServer(&o)
	if err != nil {
		return err
	}
	at.Start()
	if !at.ReadyForConnections(time.Minute) {
		at.Shutdown()
		return errors.New("the NATS server did not start")
	}
	s.at, s.port = at, at.Addr().(*net.TCPAddr).Port
	return nil
}

// URL is the server's address.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "nats://" + (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port}).String()
}

// Stop ends the server and its connections. Stopping twice is fine.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != nil {
		s.at.Shutdown()
		s.at.WaitForShutdown()
		s.at = nil
	}
}
