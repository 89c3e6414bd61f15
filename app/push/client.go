package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/sideshow/apns2"
)

// client is apns2's client on top of a pool: apns2 builds the request and reads the answer, the
// pool transports it.
type client struct{ apns *apns2.Client }

func newClient(p *pool) client {
	return client{&apns2.Client{
		Host: p.host.url,
		HTTPClient: &http.Client{
			Transport:     transport{p},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}}
}

// transport is the pool as an http.RoundTripper. It adds what apns2 v0.25 cannot express:
// apns-expiration 0 (apns2 issue 169) and the cached provider token. It also keeps the status of
// answers that are not Apple's JSON.
type transport struct{ pool *pool }

// CloseIdleConnections does nothing: the pool closes its connections itself. apns2.Client calls it.
func (transport) CloseIdleConnections() {}

type requestKey struct{}

// carrier is a context that carries a request through apns2 and net/http to the pool.
type carrier struct {
	context.Context
	r *request
}

func (c *carrier) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return c.r
	}
	return c.Context.Value(key)
}

var errNotOurs = errors.New("push: the request was not made by Sender")

// RoundTrip sends the request that apns2 built.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	r, ok := req.Context().Value(requestKey{}).(*request)
	if !ok {
		return nil, errNotOurs
	}
	r.path = req.URL.Path
	r.topic = header(req, "Apns-Topic")
	r.pushType = header(req, "Apns-Push-Type")
	r.priority = header(req, "Apns-Priority")
	r.apnsID = header(req, "Apns-Id")
	r.expiration = "0" // Apple tries once and does not store it: a ring must not arrive late
	r.body = make([]byte, req.ContentLength)
	_, err := io.ReadFull(req.Body, r.body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	if c, ok := ctx.(*carrier); ok {
		ctx = c.Context
	}
	t.pool.roundTrip(ctx, r)
	if r.err != nil {
		return nil, r.err
	}
	return response(req, r), nil
}

// header reads one field without allocating; name is canonical.
func header(req *http.Request, name string) string {
	if v := req.Header[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// response is the answer in the form apns2 reads. It leaves out a body that is not a JSON object,
// because apns2 would then drop the status.
func response(req *http.Request, r *request) *http.Response {
	w := &http.Response{
		StatusCode: r.status, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: http.Header{"Apns-Id": {r.id}}, Body: http.NoBody, Request: req,
	}
	if len(r.answer) > 0 && r.answer[0] == '{' && json.Valid(r.answer) {
		w.Body, w.ContentLength = io.NopCloser(bytes.NewReader(r.answer)), int64(len(r.answer))
	}
	return w
}

// send makes one attempt, records the details in r and returns Apple's answer.
func (c client) send(ctx context.Context, n *apns2.Notification, r *request) (*apns2.Response, error) {
	w, err := c.apns.PushWithContext(&carrier{ctx, r}, n)
	if r.err != nil {
		return nil, r.err
	}
	if err != nil {
		if r.status == 0 {
			return nil, err
		}
		return &apns2.Response{StatusCode: r.status, ApnsID: r.id}, nil // JSON, but not what Apple writes
	}
	return w, nil
}
