package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"carillon/app/agents"
)

// agentCmd runs a sample agent, to try calls with and to start a program of one's own from.
type agentCmd struct {
	Name    string `arg:"" enum:"echo,script" help:"echo repeats what it hears; script rings bells for each key, and hangs up at #."`
	Listen  string `help:"Address to listen on for calls." default:"127.0.0.1:8090"`
	Connect string `help:"Connect to the call of a ring instead: the stream_url of POST /v1/rings/{id}/join." placeholder:"wss://…"`
	Token   string `help:"The join token, for --connect." env:"CARILLON_JOIN_TOKEN"`
}

// connect takes the one call of --connect.
func (a *agentCmd) connect(ctx context.Context, c terminal) error {
	if u, err := url.Parse(a.Connect); err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return fmt.Errorf("--connect: %q is not the address of a stream; give the stream_url of POST /v1/rings/{id}/join", a.Connect)
	}
	if a.Token == "" {
		return errors.New("--token: is missing; give the token of POST /v1/rings/{id}/join, or set CARILLON_JOIN_TOKEN")
	}
	fmt.Fprintln(c.out, "Connecting. The call begins when the person answers. Ctrl-C leaves it.")
	err := agents.ConnectSample(ctx, a.Name, a.Connect, a.Token)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		fmt.Fprintln(c.out, "The call is over.")
	}
	return err
}

// Run takes calls until ctx is done, or the one of --connect until it is over.
func (a *agentCmd) Run(ctx context.Context, c terminal) error {
	if a.Connect != "" {
		return a.connect(ctx, c)
	}
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
