package console

import (
	"carillon/app/page"

	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

// liveEvery bounds how often a browser gets news. Steps of a ring that come closer are drawn as
// one.
const liveEvery = 200 * time.Millisecond

// ringsLive streams the ids of rings with something new, for all pages that one sign-in has open:
// event "ready" once it listens, then "rings", ids parted by spaces. Browsers open six connections
// at most, so their tabs share this one. Only ids travel: each page asks for its part as it asked
// at first, with its own filters and rights.
func (k ringPages) ringsLive(_ context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return web.SSE(c, k.reader(v), func(ctx context.Context, s *web.Stream) error {
		return k.Board.WatchAll(ctx, v.Tenant.ID, func(rings []tenants.RingID) error {
			if err := k.still(ctx, v); err != nil {
				return errOver
			}
			if rings == nil {
				return s.Send("", "ready", "")
			}
			var ids []string
			for _, r := range rings {
				if r != "" {
					ids = append(ids, string(r))
				}
			}
			if len(ids) == 0 {
				return nil
			}
			if err := s.Send("", "rings", strings.Join(ids, " ")); err != nil {
				return err
			}
			return pause(ctx, liveEvery)
		})
	})
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
