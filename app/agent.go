package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"carillon/app/agents"
)

// agentCmd runs a sample agent, to try calls with and to start a program of one's own from.
type agentCmd struct {
	Name   string `arg:"" enum:"echo,script" help:"echo repeats what it hears; script rings bells for each key, and hangs up at #."`
	Listen string `help:"Address to listen on for calls." default:"127.0.0.1:8090"`
}

// Run serves until ctx is done.
func (a *agentCmd) Run(ctx context.Context, c terminal) error {
	handler, err := agents.Sample(a.Name)
	if err != nil {
		return err
	}
	ln, err := listen("--listen", a.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, `The agent is ready. Add an agent of the type “Your program (WebSocket)” with this address:

  ws://%s/

In production Carillon connects to ws:// only where CARILLON_ALLOW_PRIVATE_TARGETS allows it.
Elsewhere put a proxy with a certificate in front, and give its wss:// address.
Ctrl-C stops it.
`, ln.Addr())
	return serveSample(ctx, ln, handler)
}

// sampleForDev serves the sample agent that dev mode's tenant talks to, until stop is called.
func sampleForDev(ctx context.Context) (url string, stop func() error, err error) {
	handler, err := agents.Sample("echo")
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- serveSample(ctx, ln, handler) }()
	return "ws://" + ln.Addr().String() + "/", func() error { cancel(); return <-ended }, nil
}

// serveSample serves until ctx is done, then ends the calls.
func serveSample(ctx context.Context, ln net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
