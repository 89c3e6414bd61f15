package storetest

import (
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// partnerLink keeps a link for an address.
func (b *bench) partnerLink(email string) store.PartnerLink {
	b.Helper()
	now := b.clock.Now()
	l := store.PartnerLink{Hash: hashOf("partner link", email, b.next()), Email: email, Name: "Ana", CreatedAt: now,
		ExpiresAt: now.Add(tenants.PartnerLinkTTL)}
	b.must(b.s.Partners().AddLink(b.Context(), l))
	return l
}

// fresh is who an address would become.
func (b *bench) fresh(email string) tenants.Partner {
	return tenants.Partner{
		ID: tenants.NewID[tenants.PartnerID](b.clock.Now()), Code: tenants.NewPartnerCode(), Email: email, Name: "Ana", Key: email,
		CreatedAt: b.clock.Now(),
	}
}

// partner is one who has come in.
func (b *bench) partner() tenants.Partner {
	b.Helper()
	email := fmt.Sprintf("partner%d@example.com", b.next())
	p, err := b.s.Partners().Enter(b.Context(), b.partnerLink(email).Hash, b.fresh(email), b.partnerSignIn())
	b.must(err)
	return p
}

func (b *bench) partnerSignIn() store.PartnerSignIn {
	now := b.clock.Now()
	return store.PartnerSignIn{Hash: hashOf("partner", b.next()), CreatedAt: now, ExpiresAt: now.Add(tenants.PartnerSignInTTL)}
}

// byHand makes partners as the operator does.
func (b *bench) byHand() {
	b.Helper()
	link := func() store.PartnerLink {
		return store.PartnerLink{Hash: hashOf("by hand", b.next()), Email: "cleo@hand.example", Name: "Cleo", CreatedAt: b.clock.Now(),
			ExpiresAt: b.clock.Now().Add(time.Hour)}
	}
	first := link()
	p, added, err := b.s.Partners().Add(b.Context(), b.fresh(first.Email), first)
	b.must(err)
	again, twice, err := b.s.Partners().Add(b.Context(), b.fresh(first.Email), link())
	b.must(err)
	if !added || twice {
		b.Errorf("added: %t, then %t", added, twice)
	}
	equal(b, again, p, "added twice")
	in, err := b.s.Partners().Enter(b.Context(), first.Hash, b.fresh(first.Email), b.partnerSignIn())
	b.must(err)
	equal(b, in, p, "who came in by the operator's link")
	_, _, err = b.s.Partners().Add(b.Context(), b.fresh("dora@hand.example"), link())
	b.must(err)
}

func testPartners(b *bench) {
	ctx := b.Context()
	l := b.partnerLink("ana@lindenhof.example")
	got, err := b.s.Partners().Link(ctx, l.Hash, b.clock.Now())
	b.must(err)
	equal(b, got, l, "read back")
	_, err = b.s.Partners().Link(ctx, l.Hash, l.ExpiresAt)
	b.refused(err, tenants.Gone, "an expired link")
	_, err = b.s.Partners().Link(ctx, hashOf("nobody"), b.clock.Now())
	b.refused(err, tenants.Gone, "an unknown link")

	in := b.partnerSignIn()
	p, err := b.s.Partners().Enter(ctx, l.Hash, b.fresh("ana@lindenhof.example"), in)
	b.must(err)
	_, err = b.s.Partners().Enter(ctx, l.Hash, b.fresh("ana@lindenhof.example"), b.partnerSignIn())
	b.refused(err, tenants.Gone, "a link used twice")
	same, err := b.s.Partners().BySignIn(ctx, in.Hash, b.clock.Now())
	b.must(err)
	equal(b, same, p, "of the sign-in")
	_, err = b.s.Partners().BySignIn(ctx, in.Hash, in.ExpiresAt)
	b.refused(err, tenants.Unauthorized, "a sign-in that is over")

	u := b.user()
	again := b.fresh("ana@lindenhof.example")
	again.User = u.ID
	second := b.partnerSignIn()
	known, err := b.s.Partners().Enter(ctx, b.partnerLink("ana@lindenhof.example").Hash, again, second)
	b.must(err)
	equal(b, known.ID, p.ID, "the same address is the same partner")
	same, err = b.s.Partners().ByUser(ctx, u.ID)
	b.must(err)
	equal(b, same, known, "of the account")
	b.clock.add(time.Minute)
	other := b.fresh("ben@else.example")
	other.User = u.ID
	ben, err := b.s.Partners().Enter(ctx, b.partnerLink(other.Email).Hash, other, b.partnerSignIn())
	b.must(err)
	equal(b, ben.User, "", "an account opens one room")
	_, err = b.s.Partners().ByUser(ctx, "")
	b.refused(err, tenants.Unknown, "the partner of no account")

	b.must(b.s.Partners().EndSignIn(ctx, in.Hash))
	_, err = b.s.Partners().BySignIn(ctx, in.Hash, b.clock.Now())
	b.refused(err, tenants.Unauthorized, "a sign-in that was ended")
	_, err = b.s.Partners().BySignIn(ctx, second.Hash, b.clock.Now())
	b.must(err)
	b.partnerRest(p, second)
	b.byHand()
}

// partnerRest: code, payee, stopping, clicks, forgetting.
func (b *bench) partnerRest(p tenants.Partner, in store.PartnerSignIn) {
	ctx := b.Context()
	payee := tenants.Payee{Name: "Ana Ruiz", By: tenants.PayByIBAN, Account: "DE89370400440532013000"}
	b.must(b.s.Partners().SetPayee(ctx, p.ID, payee))
	b.refused(b.s.Partners().SetPayee(ctx, "nobody", payee), tenants.Unknown, "nobody's payee")
	at := b.clock.Now()
	b.must(b.s.Partners().Stop(ctx, p.ID, at))
	got, err := b.s.Partners().ByCode(ctx, p.Code)
	b.must(err)
	equal(b, got.Payee, payee, "payee")
	equal(b, got.StoppedAt, at, "stopped")
	_, err = b.s.Partners().ByCode(ctx, "ZZZZZZZZ")
	b.refused(err, tenants.Unknown, "an unknown code")
	all, err := b.s.Partners().List(ctx)
	b.must(err)
	equal(b, len(all), 2, "partners")
	equal(b, all[0].ID, p.ID, "the oldest first")

	for range 3 {
		b.s.Partners().CountClick(p.ID)
	}
	b.clock.add(24 * time.Hour)
	b.s.Partners().CountClick(p.ID)
	b.must(b.s.Ready(ctx)) // it waits for its turn, and so for the clicks
	clicks, err := b.s.Partners().Clicks(ctx, p.ID)
	b.must(err)
	equal(b, fmt.Sprint(clicks), fmt.Sprint([]store.DayClicks{{Day: at.Truncate(24 * time.Hour), Clicks: 3},
		{Day: at.Truncate(24 * time.Hour).Add(24 * time.Hour), Clicks: 1}}), "clicks")

	link := b.partnerLink("late@else.example")
	b.clock.add(tenants.PartnerSignInTTL)
	_, err = b.s.Partners().Enter(ctx, link.Hash, b.fresh("late@else.example"), b.partnerSignIn())
	b.refused(err, tenants.Gone, "a link that expired meanwhile")
	b.must(b.s.Jobs().Forget(ctx, b.clock.Now()))
	_, err = b.s.Partners().Link(ctx, link.Hash, link.CreatedAt)
	b.refused(err, tenants.Gone, "a forgotten link")
	_, err = b.s.Partners().BySignIn(ctx, in.Hash, in.CreatedAt)
	b.refused(err, tenants.Unauthorized, "a forgotten sign-in")
}
