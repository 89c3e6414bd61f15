package storetest

import (
	"time"

	"carillon/tenants"
)

// testReach: what pages look up many at once.
func testReach(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	wants := []tenants.DeviceID{"0190aaaa-0000-7000-8000-000000000000"}
	for i := range 5 {
		d := b.newDevice("anna")
		d.Environment = []tenants.Environment{tenants.Auto, tenants.Sandbox, tenants.Production, tenants.Auto, tenants.Production}[i]
		d, _, err := s.Devices().Add(ctx, d, hashOf("reach", i))
		b.must(err)
		wants = append(wants, d.ID)
	}
	b.must(s.Devices().LearnEnvironment(ctx, wants[1], tenants.Sandbox))
	_, err := s.Devices().Disable(ctx, wants[5], "Unregistered", b.clock.add(time.Second))
	b.must(err)
	for n := range len(wants) + 1 { // every number of places, also those that are rounded up
		found, err := s.Devices().ByID(ctx, wants[:n])
		b.must(err)
		equal(b, len(found), max(0, n-1), "devices of their ids")
		for id, d := range found {
			equal(b, d.ID, id, "device of an id")
		}
	}
	reach, err := s.Devices().CountByEnvironment(ctx, "com.example.app")
	b.must(err)
	equal(b, len(reach), 3, "environments")
	equal(b, reach[tenants.Sandbox], 2, "sandbox: said and learnt")
	equal(b, reach[tenants.Production], 1, "production: the living ones")
	equal(b, reach[tenants.Auto], 1, "not known yet")

	a := b.newAgent()
	b.must(s.Agents().Add(ctx, a))
	agents, err := s.Agents().ByID(ctx, []tenants.AgentID{a.ID, "0190aaaa-0000-7000-8000-000000000000"})
	b.must(err)
	equal(b, len(agents), 1, "agents of their ids")
	agents, err = s.Agents().ByID(ctx, nil)
	b.must(err)
	equal(b, len(agents), 0, "agents of nothing")

	u := b.member(s, tenants.Owner)
	b.member(s, tenants.Viewer)
	in := b.signIn(u, s)
	b.must(b.s.SignIns().Touch(ctx, in.Hash, in.IdleAt.Add(time.Minute)))
	seen, err := s.Members().LastSeen(ctx, in.IdleAt.Sub(in.CreatedAt))
	b.must(err)
	equal(b, len(seen), 1, "people with a sign-in")
	equal(b, seen[u.ID], in.CreatedAt.Add(time.Minute), "last seen")
}
