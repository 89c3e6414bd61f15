package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
)

// serveCmd runs in production.
type serveCmd struct {
	Config
}

// Run refuses to start with every configuration fault listed at once; then it serves until ctx is
// done.
func (s *serveCmd) Run(ctx context.Context, c terminal) (err error) {
	good, err := s.check()
	if err != nil {
		return fmt.Errorf("the configuration has faults:\n%w", err)
	}
	if good.Database.URL == "" {
		unlock, e := lock(good.Data)
		if e != nil {
			return e
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	log := newLogBuffer(c.err)
	defer func() { err = errors.Join(err, log.Close()) }()
	good.logTo, good.now = log, c.now
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // what lives is small, what a ring leaves behind is not: collect less often
	}
	n, err := open(ctx, good, extras{memory: limitMemory(good.Database.URL == ""), changelog: changelogOf(ctx)})
	if err != nil {
		return err
	}
	if n.metricsAddr != nil {
		fmt.Fprintf(c.out, "metrics at http://%s/metrics\n", n.metricsAddr)
	}
	if n.operatorAddr != nil {
		fmt.Fprintf(c.out, "operator console on %s\n", n.operatorAddr)
	}
	if hidden := good.hiddenClients(); hidden != "" {
		n.log.Warn(hidden)
	}
	fmt.Fprintf(c.out, "carillon serves %s on %s\n", good.PublicURL, n.addr)
	return errors.Join(n.Run(ctx), n.Close())
}
