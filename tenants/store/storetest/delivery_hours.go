package storetest

import (
	"time"

	"carillon/tenants"
)

// testDeliveryHours: the attempts of a connection by hour, those of others and older ones left out.
func testDeliveryHours(b *bench) {
	s := b.tenant()
	c, other := b.connected(s), b.connected(s)
	from := b.clock.add(b.clock.Now().Truncate(time.Hour).Add(time.Hour).Sub(b.clock.Now())) // the beginning of an hour
	for i, good := range []bool{true, false, true} {
		b.feed(c, tenants.NewID[tenants.RingID](b.clock.Now()), "x")
		b.went(c, b.toSend(c, 10), good, 0)
		if i == 1 {
			b.clock.add(2 * time.Hour)
		}
	}
	b.feed(other, tenants.NewID[tenants.RingID](b.clock.Now()), "y")
	b.went(other, b.toSend(other, 10), true, 0)
	hours, err := s.Deliveries().Hours(b.Context(), c.ID, from)
	b.must(err)
	equal(b, len(hours), 2, "hours")
	if len(hours) != 2 {
		return
	}
	first, last := hours[0], hours[1]
	if !first.At.Equal(from) || first.Attempts != 2 || first.Failed != 1 || first.P50 != time.Millisecond || first.P95 != time.Millisecond {
		b.Errorf("the first hour: %+v", first)
	}
	if !last.At.Equal(from.Add(2*time.Hour)) || last.Attempts != 1 || last.Failed != 0 {
		b.Errorf("the last hour: %+v", last)
	}
	hours, err = s.Deliveries().Hours(b.Context(), c.ID, from.Add(time.Hour))
	b.must(err)
	equal(b, len(hours), 1, "hours since the next one")
}
