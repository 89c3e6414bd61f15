package app

import (
	"context"
	"errors"
	"fmt"
)

// serveCmd runs in production.
type serveCmd struct {
	Config
}

// Run refuses to start with every configuration fault listed at once; then it serves until ctx is done.
func (s *serveCmd) Run(ctx context.Context, c terminal) error {
	good, err := s.check()
	if err != nil {
		return fmt.Errorf("the configuration has faults:\n%w", err)
	}
	n, err := open(ctx, good, extras{})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "carillon serves %s on %s\n", good.PublicURL, n.addr)
	return errors.Join(n.Run(ctx), n.Close())
}
