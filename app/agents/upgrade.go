package agents

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"carillon/tenants"
)

// Upgrade is an HTTP request to change to the WebSocket protocol (RFC 6455 4.1).
type Upgrade struct {
	Host   string
	Header http.Header
}

// BearerProtocol is the subprotocol under which a browser, which cannot set headers, sends its
// token: new WebSocket(url, ["bearer", token]).
const BearerProtocol = "bearer"

// Token returns the token of the request, from Authorization or from the subprotocols; "" = none.
func (u Upgrade) Token() string {
	scheme, token, _ := strings.Cut(u.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	names := strings.Split(u.Header.Get("Sec-WebSocket-Protocol"), ",")
	if len(names) == 2 && strings.EqualFold(strings.TrimSpace(names[0]), BearerProtocol) {
		return strings.TrimSpace(names[1])
	}
	return ""
}

// options accept a browser only from our own origin.
var options = websocket.AcceptOptions{Subprotocols: []string{BearerProtocol}, CompressionMode: websocket.CompressionDisabled}

// check refuses what is no WebSocket handshake, and a page of another origin. It is called before
// the connection is taken from the HTTP server.
func (u Upgrade) check() error {
	w := &refusal{header: http.Header{}}
	_, err := websocket.Accept(w, u.request(), &options)
	switch w.status {
	case http.StatusNotImplemented: // all is well but that w cannot be hijacked
		return nil
	case http.StatusForbidden:
		return &tenants.Error{Kind: tenants.Forbidden, Code: "origin", Err: err,
			Msg: "A page of another origin may not open this WebSocket."}
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "upgrade_required", Err: err,
		Msg: "Open this address as a WebSocket (RFC 6455, version 13)."}
}

func (u Upgrade) request() *http.Request {
	return &http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: u.Host, Header: u.Header}
}

// accept answers the handshake on conn.
func (u Upgrade) accept(conn net.Conn) (*socket, error) {
	c, err := websocket.Accept(&handshake{conn: conn, header: http.Header{}}, u.request(), &options)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(-1) // read has its own
	s := &socket{conn: c}
	s.listen()
	return s, nil
}

// refusal keeps the status that a handshake is refused with.
type refusal struct {
	header http.Header
	status int
}

func (w *refusal) Header() http.Header         { return w.header }
func (w *refusal) WriteHeader(status int)      { w.status = status }
func (w *refusal) Write(b []byte) (int, error) { return len(b), nil }

// handshake writes the answer to a handshake on a connection that was taken from its HTTP server.
type handshake struct {
	conn   net.Conn
	header http.Header
	err    error
}

func (w *handshake) Header() http.Header { return w.header }

func (w *handshake) WriteHeader(status int) {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	_ = w.header.Write(&b) // a Builder has no errors
	b.WriteString("\r\n")
	_, w.err = w.conn.Write([]byte(b.String()))
}

func (w *handshake) Write(b []byte) (int, error) { return w.conn.Write(b) }

func (w *handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), w.err
}

// lent is a connection that belongs to an HTTP server. It must be given back: the server closes it,
// and uses its memory again.
type lent struct {
	net.Conn
	done  chan struct{} // closed by Close
	close sync.Once

	using sync.RWMutex // read-locked by each Read and Write; guards over
	over  bool
}

func lend(c net.Conn) *lent { return &lent{Conn: c, done: make(chan struct{})} }

func (l *lent) Read(b []byte) (int, error)  { return l.use(l.Conn.Read, b) }
func (l *lent) Write(b []byte) (int, error) { return l.use(l.Conn.Write, b) }

func (l *lent) use(f func([]byte) (int, error), b []byte) (int, error) {
	l.using.RLock()
	defer l.using.RUnlock()
	if l.over {
		return 0, net.ErrClosed
	}
	return f(b)
}

// Close ends what reads and writes.
func (l *lent) Close() error {
	l.close.Do(func() {
		_ = l.Conn.SetDeadline(time.Unix(1, 0))
		close(l.done)
	})
	return nil
}

// giveBack waits for Close, and for what still writes: the server bounds each write. After it
// nobody uses the connection.
func (l *lent) giveBack() {
	<-l.done
	l.using.Lock()
	defer l.using.Unlock()
	l.over = true
}
