package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/coder/websocket"

	"carillon/app/outbound"
)

const (
	// messageMost is the longest message that an agent may send, in bytes: 98 s of mu-law as
	// base64.
	messageMost = 1 << 20
	// writeWithin is how long the agent's server may take to read one message.
	writeWithin = 5 * time.Second
	// pingEvery keeps proxies between us and the agent from closing a quiet connection.
	pingEvery = 15 * time.Second
	// closeWithin is how long we wait for the other side to close too (RFC 6455 7.1.1).
	closeWithin = time.Second
)

// Failure is why an agent could not be reached or was lost. Cause is a sentence for the tenant,
// without the far end's own words.
type Failure struct {
	Cause string
	Err   error
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return "agents: " + f.Cause
	}
	return fmt.Sprintf("agents: %s: %v", f.Cause, f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }

// socket is a WebSocket connection. One goroutine may read while another writes.
type socket struct {
	conn  *websocket.Conn
	first chan first // holds the first message of a socket that had to wait; nil = it did not
}

// first is the beginning of a first message.
type first struct {
	kind websocket.MessageType
	r    io.Reader
	err  error
}

// listen reads until the first message, so that pings are answered and an end is seen while nobody
// needs the messages yet.
func (s *socket) listen() {
	s.first = make(chan first, 1)
	go func() {
		var f first
		defer func() { s.first <- f }()
		defer func() {
			if p := recover(); p != nil {
				f.err = fmt.Errorf("agents: reading a frame panicked: %v\n%s", p, debug.Stack())
			}
		}()
		f.kind, f.r, f.err = s.conn.Reader(context.Background()) // close ends it
	}()
}

// gone reports whether a socket that listens has ended.
func (s *socket) gone() bool {
	select {
	case f := <-s.first:
		s.first <- f
		return f.err != nil
	default:
		return false
	}
}

// next waits for the next message.
func (s *socket) next(ctx context.Context) (websocket.MessageType, io.Reader, error) {
	if s.first == nil {
		return s.conn.Reader(ctx)
	}
	select {
	case f := <-s.first:
		s.first = nil
		return f.kind, f.r, f.err
	case <-ctx.Done():
		_ = s.conn.CloseNow() // as Reader does
		return 0, nil, ctx.Err()
	}
}

// dial connects to an agent's server. Its error is a *Failure.
func dial(ctx context.Context, client *http.Client, address string, header http.Header) (*socket, error) {
	conn, res, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: header, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, &Failure{Cause: refused(res, err), Err: withoutURL(err)}
	}
	conn.SetReadLimit(-1) // read has its own
	return &socket{conn: conn}, nil
}

// withoutURL is an error without the address that it is about: an address may hold a key, and the
// error is logged.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refused says why the agent's server gave no WebSocket.
func refused(res *http.Response, err error) string {
	if res == nil {
		return "the agent's server could not be reached: " + outbound.Cause(err)
	}
	answered := fmt.Sprintf("the agent's server answered %d: ", res.StatusCode)
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return answered + "the token is wrong, or it does not check our signature as expected"
	case res.StatusCode == http.StatusNotFound:
		return answered + "check the path of the address"
	case res.StatusCode == http.StatusTooManyRequests:
		return answered + "it is at its limit; give it more capacity"
	case res.StatusCode >= 500:
		return answered + "look into its log"
	case errors.Is(err, outbound.ErrRedirect):
		return answered + outbound.ErrRedirect.Error()
	}
	return answered + "it does not accept WebSocket connections at this address"
}

// errTooBig is the error of a message longer than messageMost. The library's own limit would first
// write to a far end that perhaps does not read, and until then nobody knew why the call was lost.
var errTooBig = errors.New("agents: the message is too big")

// read reads one message into buf, and refuses one of more than messageMost bytes.
func (s *socket) read(ctx context.Context, buf []byte) (data []byte, binary bool, err error) {
	kind, r, err := s.next(ctx)
	if err != nil {
		return buf, false, err
	}
	data = buf[:0]
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if len(data) > messageMost {
			return data[:0], false, errTooBig
		}
		if errors.Is(err, io.EOF) {
			return data, kind == websocket.MessageBinary, nil
		}
		if err != nil {
			return data, false, err
		}
	}
}

func (s *socket) write(ctx context.Context, data []byte, binary bool) error {
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	return s.conn.Write(ctx, kind, data)
}

// close closes the connection as RFC 6455 7.1.2 says, and cuts it after closeWithin.
func (s *socket) close() {
	cut := time.AfterFunc(closeWithin, func() { _ = s.conn.CloseNow() })
	defer cut.Stop()
	_ = s.conn.Close(websocket.StatusNormalClosure, "") // the connection is not used again
}

const broken = "the connection to the agent broke off; look into its log"

// lost says why a connection ended. A nil *Failure means that the agent closed it as one hangs up.
func lost(err error) *Failure {
	switch code := websocket.CloseStatus(err); {
	case errors.Is(err, errTooBig):
		return &Failure{Cause: "the agent sent a message of more than 1 MiB; send sound in smaller parts", Err: err}
	case code == websocket.StatusNormalClosure, code == websocket.StatusNoStatusRcvd, code == websocket.StatusGoingAway:
		return nil
	case code >= 0:
		return &Failure{Cause: fmt.Sprintf("the agent closed the connection with the code %d; look into its log", code), Err: err}
	}
	return &Failure{Cause: broken, Err: err}
}
