package storetest

import (
	"carillon/tenants"
)

// testDigests: each person is claimed once for a week, and not at all once they turned it off.
func testDigests(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	u, bills := b.member(s, tenants.Owner), b.member(s, tenants.Billing)
	due := func(week string) int {
		people, err := s.Digests().Due(ctx, week)
		b.must(err)
		for _, p := range people {
			if p.User == bills.ID {
				b.Error("somebody without figures gets them")
			}
		}
		return len(people)
	}
	equal(b, due("2026-11-23"), 1, "people")
	for i, want := range []bool{true, false} {
		mine, err := s.Digests().Claim(ctx, "2026-11-23", u.ID, hashOf("digest", string(rune('a'+i))))
		b.must(err)
		equal(b, mine, want, "claim")
	}
	equal(b, due("2026-11-23"), 0, "people who did not get the mail")
	equal(b, due("2026-11-30"), 1, "people of the next week")
	t, user, err := b.s.Tenants().OfDigest(ctx, hashOf("digest", "a"))
	b.must(err)
	own, err := s.Tenant(ctx)
	b.must(err)
	equal(b, string(t.ID)+string(user), string(own.ID)+string(u.ID), "whose link it is")
	_, _, err = b.s.Tenants().OfDigest(ctx, hashOf("digest", "b"))
	b.refused(err, tenants.Gone, "an unknown link")
	b.must(other.Digests().Release(ctx, "2026-11-23", u.ID))
	equal(b, due("2026-11-23"), 0, "people, after another tenant released the claim")
	b.must(s.Digests().Release(ctx, "2026-11-23", u.ID))
	equal(b, due("2026-11-23"), 1, "people, after the claim was taken back")
	b.must(s.Digests().SetOff(ctx, u.ID, true))
	b.must(s.Digests().SetOff(ctx, u.ID, true))
	off, err := s.Digests().Off(ctx, u.ID)
	b.must(err)
	equal(b, off, true, "off")
	off, err = other.Digests().Off(ctx, u.ID)
	b.must(err)
	equal(b, off, false, "off in another tenant")
	equal(b, due("2026-11-30"), 0, "people without the one who turned it off")
	b.must(s.Digests().SetOff(ctx, u.ID, false))
	equal(b, due("2026-11-30"), 1, "people again")
}
