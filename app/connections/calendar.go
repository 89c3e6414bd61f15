package connections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

const (
	// calendarsAtOnce bounds the feeds that are read at the same time.
	calendarsAtOnce = 4
	// calendarsTurn bounds the feeds of one turn.
	calendarsTurn = 100
	// feedWithin bounds the download of one feed.
	feedWithin = 20 * time.Second
	// readAgainAfter is when a feed is read in full although it has not changed: the time that a
	// schedule looks ahead moves on.
	readAgainAfter = 24 * time.Hour
	// morePersons bounds the persons that are looked for in a feed.
	morePersons = 10_000
)

// Calendars reads tenants' iCalendar feeds into their rosters.
type Calendars struct {
	store  *store.Store
	client *http.Client
	now    func() time.Time
}

// NewCalendars reads feeds through d.
func NewCalendars(d *outbound.Dialer, s *store.Store, now func() time.Time) *Calendars {
	return &Calendars{s, d.Client(feedWithin), now}
}

// Close lets go of idle connections.
func (k *Calendars) Close() error {
	k.client.CloseIdleConnections()
	return nil
}

// Read reads the feeds that are due. A feed that fails keeps its last good roster, and after
// tenants.RosterAlertAfter failures there is an alert.
func (k *Calendars) Read(ctx context.Context) error {
	due, err := k.store.Jobs().DueRosters(ctx, k.now(), calendarsTurn)
	if err != nil {
		return err
	}
	var (
		all   sync.WaitGroup
		slots = make(chan struct{}, calendarsAtOnce)
		mu    sync.Mutex // guards errs
		errs  []error
	)
	for _, d := range due {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := k.one(ctx, d); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("calendar %s: %w", d.Connection, err))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// ReadNow reads one calendar at once, as somebody asked for it, and keeps what came of it: also a
// failure is no error. It is refused while it was just read.
func (k *Calendars) ReadNow(ctx context.Context, scope *store.Scope, id tenants.ConnectionID) error {
	c, err := scope.Connections().Get(ctx, id)
	if err != nil {
		return err
	}
	if c.Role != tenants.RoleCalendar {
		return tenants.NoSuch("calendar")
	}
	if err := scope.Rosters().Hurry(ctx, id); err != nil {
		return err
	}
	return k.one(ctx, store.DueConnection{Tenant: c.Tenant, Connection: id})
}

// one reads one feed, unless another node does.
func (k *Calendars) one(ctx context.Context, d store.DueConnection) error {
	scope := k.store.For(d.Tenant).By(store.Who{Actor: tenants.System})
	c, secrets, err := scope.Connections().Open(ctx, d.Connection)
	if err != nil {
		return err
	}
	now := k.now()
	before, err := scope.Rosters().Get(ctx, c.ID)
	if err != nil {
		return err
	}
	mine, err := scope.Rosters().Claim(ctx, c.ID, c.URL, now, now.Add(tenants.RosterEvery))
	if err != nil || !mine {
		return err
	}
	after := before
	after.ReadAt = now
	if err := k.read(ctx, scope, c, secrets, &after); err != nil {
		if ctx.Err() != nil {
			return nil // the server stops; the feed has done nothing wrong
		}
		after.Failed, after.Cause = before.Failed+1, feedCause(err)
	} else {
		after.Failed, after.Cause, after.GoodAt = 0, "", now
	}
	if err := scope.Rosters().Keep(ctx, after); err != nil {
		return err
	}
	return k.alert(ctx, scope, c, before.Failed, after)
}

func (k *Calendars) alert(ctx context.Context, scope *store.Scope, c tenants.Connection, before int, s store.KeptRoster) error {
	switch {
	case s.Failed >= tenants.RosterAlertAfter:
		_, err := scope.Alerts().Raise(ctx, tenants.AlertCalendar, string(c.ID), fmt.Sprintf(
			"The calendar %s could not be read %d times in a row: %s. The schedule is that of the last read that worked.",
			c.Name, s.Failed, s.Cause))
		return err
	case before >= tenants.RosterAlertAfter:
		if err := scope.Alerts().Resolve(ctx, tenants.AlertCalendar, string(c.ID)); tenants.KindOf(err) != tenants.Unknown {
			return err
		}
	}
	return nil
}

// errFeed is a fault of a feed; its text is for the tenant.
type errFeed struct{ error }

func feedCause(err error) string {
	var own errFeed
	if errors.As(err, &own) {
		return own.Error()
	}
	return outbound.Cause(err)
}

// read downloads the feed, if it has changed, and reads it into s.
func (k *Calendars) read(ctx context.Context, scope *store.Scope, c tenants.Connection, secrets Secrets, s *store.KeptRoster) error {
	ctx, cancel := context.WithTimeout(ctx, feedWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return err
	}
	for name, value := range secrets.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "text/calendar")
	if s.Address == c.URL && s.ReadAt.Sub(s.FullAt) < readAgainAfter {
		for name, value := range map[string]string{"If-None-Match": s.ETag, "If-Modified-Since": s.Modified} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
	}
	res, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return nil
	default:
		return errFeed{fmt.Errorf("the server answered with status %d; check the address and the headers of the connection",
			res.StatusCode)}
	}
	feed, err := io.ReadAll(io.LimitReader(res.Body, MaxFeed+1))
	if err != nil {
		return err
	}
	return k.take(ctx, scope, c, feed, res.Header, s)
}

func (k *Calendars) take(ctx context.Context, scope *store.Scope, c tenants.Connection, feed []byte, h http.Header,
	s *store.KeptRoster) error {
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	persons, err := personsOf(ctx, scope)
	if err != nil {
		return err
	}
	zone := t.TimeZone
	if c.Calendar != nil && c.Calendar.TimeZone != "" {
		zone = c.Calendar.TimeZone
	}
	found, err := ReadFeed(feed, s.ReadAt, s.ReadAt.AddDate(0, 0, tenants.RosterDays), zoneOf(zone), persons)
	if err != nil {
		return errFeed{err}
	}
	s.Duties, s.Notes, s.FullAt = found.Duties, found.Notes, s.ReadAt
	s.ETag, s.Modified = cut(h.Get("ETag"), 200), cut(h.Get("Last-Modified"), 100)
	return nil
}

func personsOf(ctx context.Context, scope *store.Scope) (tenants.Persons, error) {
	var names []string
	for q := (store.PersonQuery{Limit: 500}); ; {
		people, next, err := scope.Devices().People(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, p := range people {
			names = append(names, p.Name)
		}
		if next == "" || len(names) >= morePersons {
			return tenants.NewPersons(names), nil
		}
		q.After = next
	}
}
