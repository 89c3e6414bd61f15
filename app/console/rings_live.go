package console

import (
	"carillon/app/page"

	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// liveEvery bounds how often a list gets new rings: a page that counts and draws more often than
// that is not calmer for it.
const liveEvery = time.Second

// ringsLive streams the ids of rings with something new, so that a list can draw itself again:
// event "ready" once it listens, then "rings", ids parted by spaces. The ids alone travel: the page
// asks for its rows as it asked at first, with its own filters and rights.
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

// liveList is where the newest page of the list gets new rings; older pages do not change.
func liveList(q *query) string {
	if q.after != "" {
		return ""
	}
	return views.PathRingsLive
}
