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

// client is apns2's client over our pool: apns2 knows what a push looks like, the pool how it gets
// there.
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

// transport is the pool as an http.RoundTripper. It adds what apns2 v0.25 cannot say:
// apns-expiration 0 (its issue 169) and our cached provider token, and it keeps the status of
// answers that are not Apple's JSON.
type transport struct{ pool *pool }

// CloseIdleConnections is what apns2.Client.CloseIdleConnections calls; our pool closes by itself.
func (transport) CloseIdleConnections() {}

type requestKey struct{}

// carrier brings a request through apns2 and net/http to the pool.
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

var errForeign = errors.New("push: a request that Sender did not make")

// RoundTrip sends what apns2 has made.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	r, ok := req.Context().Value(requestKey{}).(*request)
	if !ok {
		return nil, errForeign
	}
	r.path = req.URL.Path
	r.topic = header(req, "Apns-Topic")
	r.pushType = header(req, "Apns-Push-Type")
	r.priority = header(req, "Apns-Priority")
	r.apnsID = header(req, "Apns-Id")
	r.expiration = "0" // one attempt, not stored: a ring must never arrive late
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
	t.pool.do(ctx, r)
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

// response is the answer as apns2 reads it. A body that is not a JSON object is kept from it: apns2
// would lose the status.
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

// send makes one attempt and leaves what happened in r. It gives Apple's reason.
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
