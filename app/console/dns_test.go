package console

import (
	"context"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"carillon/app/page/pagetest"
)

// dnsServer is a DNS server over UDP that knows TXT records. A name that has none is an error of
// the server, and one that was never set is unknown.
type dnsServer struct {
	conn net.PacketConn
	mu   sync.Mutex
	txt  map[string][]string
}

func newDNS(t *testing.T) *dnsServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	pagetest.Must(t, err)
	s := &dnsServer{conn: conn, txt: map[string][]string{}}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			if packed, err := s.answer(m).Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	return s
}

func (s *dnsServer) answer(m dnsmessage.Message) *dnsmessage.Message {
	q := m.Questions[0]
	s.mu.Lock()
	records, known := s.txt[q.Name.String()]
	s.mu.Unlock()
	a := &dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true}, Questions: m.Questions}
	switch {
	case !known:
		a.RCode = dnsmessage.RCodeNameError
	case len(records) == 0:
		a.RCode = dnsmessage.RCodeServerFailure
	case q.Type == dnsmessage.TypeTXT:
		for _, r := range records {
			a.Answers = append(a.Answers, dnsmessage.Resource{Body: &dnsmessage.TXTResource{TXT: []string{r}},
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}})
		}
	}
	return a
}

// set sets the TXT records of a domain.
func (s *dnsServer) set(domain string, records ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txt[domain+"."] = records
}

// resolver asks the server and no other.
func (s *dnsServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
}
