package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"carillon/gateway/phonetest"
)

// Bare serves Pion's bare echo over HTTP until ctx is done: POST an offer, get the answer. It is
// what calls are compared with, in a process of its own as the server is.
func Bare(ctx context.Context, out io.Writer) error {
	echo, err := phonetest.NewBareEcho("127.0.0.1:0")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, echo.Close())
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offer, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err == nil {
			var answer string
			if answer, err = echo.Answer(r.Context(), string(offer)); err == nil {
				w.WriteHeader(http.StatusCreated)
				_, err = io.WriteString(w, answer)
			}
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(out, "bare echo on %s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, echo.Close())
	}
	return echo.Close()
}
