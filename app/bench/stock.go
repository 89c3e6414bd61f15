package bench

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"
)

// Stock serves what a push server without a memory is, until ctx is done: net/http, encoding/json
// and plain apns2. It checks no key, stores nothing and answers once Apple has. It is the second
// comparison of rings: what the way through a server costs by itself.
func Stock(ctx context.Context, out io.Writer, apple, caFile, keyFile string) error {
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	p8, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	client, err := apnstest.Bare(apple, roots, stockTeam, stockKeyID, p8)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	send := apnstest.Loop(client)
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve := stockPush
		if r.URL.Path == "/bare" {
			serve = bareLoad
		}
		if err := serve(w, r, send); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(out, "stock push server on %s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// sender pushes once with plain apns2.
type sender func(ctx context.Context, token, topic string, payload []byte) error

// load asks the process of the stock server for a bare loop: so many at a time, for a while, to one
// device.
type load struct {
	At    int           `json:"at"`
	Turn  time.Duration `json:"turn"`
	Token string        `json:"token"`
}

// bareLoad is the first comparison: apns2's own client in a loop that keeps nothing, without a
// request for each push.
func bareLoad(w http.ResponseWriter, r *http.Request, send sender) error {
	var l load
	if err := json.NewDecoder(r.Body).Decode(&l); err != nil {
		return err
	}
	n, _, err := spin(r.Context(), l.At, l.Turn, func() error {
		now := time.Now()
		payload, err := push.Payload("00000000-0000-4000-8000-000000000000", now, now.Add(30*time.Second), "Bench")
		if err != nil {
			return err
		}
		return send(r.Context(), l.Token, bundle+".voip", payload)
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(n)
}

func stockPush(w http.ResponseWriter, r *http.Request, send sender) error {
	var body struct{ Token string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&body); err != nil {
		return err
	}
	now := time.Now()
	id := tenants.NewRandomID()
	payload, err := push.Payload(id, now, now.Add(30*time.Second), "Bench")
	if err != nil {
		return err
	}
	if err := send(r.Context(), body.Token, bundle+".voip", payload); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(map[string]string{"id": id})
}
