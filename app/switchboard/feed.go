package switchboard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"carillon/app/bus"
	"carillon/tenants"
	"carillon/tenants/store"
)

// A reader of all facts of a tenant rests between two looks, so that many facts are one read, and
// looks without a hint, which may be lost or come before its fact can be read. It also rests where
// it reads what it missed, because others read too.
const (
	feedRest  = 200 * time.Millisecond
	feedLook  = time.Second
	feedPause = 20 * time.Millisecond
	// feedKeep is how many of its reads a reader keeps. Who lacks more reads for itself.
	feedKeep = 8
)

// News is what a Feed tells: facts in the order of their commits, their rings as far as they are
// still there, and the place behind what was read. Others get the same rings: do not change them.
type News struct {
	Facts []store.Fed
	Rings []*tenants.Ring
	To    store.FeedPlace
}

// Feed has the facts of all rings of a tenant.
type Feed struct {
	b       *Board
	readers *feedReaders
}

// NewFeed returns the Feed of a board. Those who follow a tenant through one Feed share its reads.
func NewFeed(b *Board) Feed { return Feed{b, &feedReaders{of: map[tenants.TenantID]*feedReader{}}} }

// Watch calls tell with the facts of a tenant's rings behind a place, in the order of their
// commits and without a gap, and with the place behind what it read, until tell fails or ctx is
// done. The first call comes before anything is read, with the place itself. Later ones come
// without facts where only others had any, and after a hint: somebody may no longer act for the
// tenant.
func (f Feed) Watch(ctx context.Context, t tenants.TenantID, from store.FeedPlace, tell func(News) error) error {
	r := f.readers.join(f.b, t)
	defer f.readers.leave(t, r)
	seen := r.count() // before all that it does itself, so that nothing comes between the two
	if err := tell(News{To: from}); err != nil {
		return err
	}
	for {
		var err error
		if from, err = f.catchUp(ctx, t, from, tell); err != nil {
			return err
		}
		if from, err = r.follow(ctx, seen, from, tell); err != nil {
			return err
		}
		if err := pause(ctx, feedPause); err != nil {
			return err
		}
		seen = r.count()
	}
}

// catchUp tells what a follower has missed, and returns the place behind that.
func (f Feed) catchUp(ctx context.Context, t tenants.TenantID, from store.FeedPlace, tell func(News) error) (store.FeedPlace, error) {
	feed := f.b.Store.For(t).Feed()
	for {
		news, more, err := readFeed(ctx, feed, from)
		if err != nil {
			return from, err
		}
		if news.To != from {
			if err := tell(news); err != nil {
				return from, err
			}
		}
		if from = news.To; !more {
			return from, nil
		}
		if err := pause(ctx, feedPause); err != nil {
			return from, err
		}
	}
}

func readFeed(ctx context.Context, feed store.Feed, from store.FeedPlace) (news News, more bool, err error) {
	if news.Facts, news.To, more, err = feed.Next(ctx, from); err != nil || len(news.Facts) == 0 {
		return news, more, err
	}
	var ids []tenants.RingID
	seen := map[tenants.RingID]bool{}
	for _, fact := range news.Facts {
		if !seen[fact.Ring] {
			seen[fact.Ring] = true
			ids = append(ids, fact.Ring)
		}
	}
	news.Rings, err = feed.Rings(ctx, ids)
	return news, more, err
}

// feedReaders are the readers of those tenants that somebody follows.
type feedReaders struct {
	mu sync.Mutex // guards of, and how many followers each has
	of map[tenants.TenantID]*feedReader
}

// join gives the reader of a tenant, which runs until all have left it.
func (s *feedReaders) join(b *Board, t tenants.TenantID) *feedReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.of[t]
	if r == nil {
		ctx, stop := context.WithCancel(context.Background())
		r = &feedReader{stop: stop, ended: make(chan struct{}), news: make(chan struct{})}
		s.of[t] = r
		listener := b.Bus.Listen(t, "")
		go func() {
			defer close(r.ended)
			err := r.run(ctx, b.Store.For(t).Feed(), listener)
			s.forget(t, r)
			r.fail(err)
		}()
	}
	r.followers++
	return r
}

// leave stops a reader that nobody follows any more, and waits for its end.
func (s *feedReaders) leave(t tenants.TenantID, r *feedReader) {
	s.mu.Lock()
	r.followers--
	left := r.followers == 0
	if left && s.of[t] == r {
		delete(s.of, t)
	}
	s.mu.Unlock()
	if left {
		r.stop()
		<-r.ended
	}
}

// forget makes the next follower begin with another reader than r, which has failed.
func (s *feedReaders) forget(t tenants.TenantID, r *feedReader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[t] == r {
		delete(s.of, t)
	}
}

// feedReader reads the newest facts of a tenant for all who follow them.
type feedReader struct {
	followers int // feedReaders.mu guards it
	stop      context.CancelFunc
	ended     chan struct{} // closed when it has ended

	mu    sync.Mutex // guards the rest
	reads []feedRead // the newest, at most feedKeep
	n     int        // how many there were
	err   error      // why it has ended
	news  chan struct{}
}

// feedRead is one read.
type feedRead struct {
	News
	from   store.FeedPlace
	hinted bool // there was a hint before it
}

// run reads from now on until it fails or ctx is done. It closes the listener.
func (r *feedReader) run(ctx context.Context, feed store.Feed, listener *bus.Listener) error {
	defer listener.Close()
	from, err := feed.Newest(ctx)
	if err != nil {
		return err
	}
	r.publish(feedRead{News: News{To: from}, from: from})
	for hinted := false; ; {
		news, more, err := readFeed(ctx, feed, from)
		if err != nil {
			return err
		}
		if hinted || news.To != from {
			r.publish(feedRead{news, from, hinted})
		}
		from, hinted = news.To, false
		if more {
			err = pause(ctx, feedPause)
		} else {
			hinted, err = rested(ctx, listener)
		}
		if err != nil {
			return err
		}
	}
}

func (r *feedReader) publish(read feedRead) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	r.reads = append(r.reads[max(0, len(r.reads)-feedKeep+1):], read)
	r.wake()
}

func (r *feedReader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	r.wake()
}

// wake wakes those who wait. Called with mu held.
func (r *feedReader) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

func (r *feedReader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// after waits for reads after the first so many. lost means that some of them are not kept.
func (r *feedReader) after(ctx context.Context, seen int) (reads []feedRead, lost bool, err error) {
	for {
		r.mu.Lock()
		fresh, err, news := r.n-seen, r.err, r.news
		reads = slices.Clone(r.reads[max(0, len(r.reads)-fresh):])
		r.mu.Unlock()
		if err != nil || fresh > 0 {
			return reads, fresh > len(reads), err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// follow tells each read after the first so many of what lies behind from. It returns where it has
// come to when some of them are not there: then its follower reads for itself.
func (r *feedReader) follow(ctx context.Context, seen int, from store.FeedPlace, tell func(News) error) (store.FeedPlace, error) {
	for {
		reads, lost, err := r.after(ctx, seen)
		if err != nil || lost {
			return from, err
		}
		seen += len(reads)
		for _, read := range reads {
			if from.Before(read.from) {
				return from, nil
			}
			news := read.behind(from)
			if !read.hinted && news.To == from {
				continue
			}
			if err := tell(news); err != nil {
				return from, err
			}
			from = news.To
		}
	}
}

// behind is what is new to a follower that has come as far as from, perhaps further than the read.
func (r feedRead) behind(from store.FeedPlace) News {
	news := r.News
	for len(news.Facts) > 0 && !from.Before(news.Facts[0].Place) {
		news.Facts = news.Facts[1:]
	}
	if news.To.Before(from) {
		news.To = from
	}
	return news
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	rest := time.NewTimer(d)
	defer rest.Stop()
	select {
	case <-rest.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rested waits for the next look, and says whether there was a hint.
func rested(ctx context.Context, l *bus.Listener) (hinted bool, err error) {
	if err := pause(ctx, feedRest); err != nil {
		return false, err
	}
	within, cancel := context.WithTimeout(ctx, feedLook)
	defer cancel()
	if _, err := l.Next(within); err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err == nil, err
	}
	return false, nil
}
