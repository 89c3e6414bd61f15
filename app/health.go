package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthCmd asks a running server whether it is ready. Containers without a shell use it as their
// check.
type healthCmd struct {
	JSON bool   `help:"Print one JSON line if it is."`
	Addr string `help:"Address that the server listens on." default:"127.0.0.1:8080" env:"CARILLON_ADDR"`
}

// Run fails unless the server answers that it is ready, within two seconds.
func (h *healthCmd) Run(ctx context.Context, c terminal) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	host, port, err := net.SplitHostPort(h.Addr)
	if err != nil || addr(h.Addr) != nil {
		return misused{fmt.Errorf("CARILLON_ADDR: %w", addr(h.Addr))}
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return fmt.Errorf("no server answers on %s; start one, or give its --addr: %w", h.Addr, err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", a.Status)
	}
	if h.JSON {
		return jsonLines(c, []bool{true}, func(ready bool) any { return map[string]bool{"ready": ready} })
	}
	fmt.Fprintln(c.out, "ready")
	return nil
}
