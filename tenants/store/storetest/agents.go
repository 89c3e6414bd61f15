package storetest

import (
	"reflect"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func testAgents(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	a := b.newAgent()
	b.must(s.Agents().Add(ctx, a))
	b.refused(s.Agents().Add(ctx, a), tenants.Conflict, "an agent twice")
	tenant, err := s.Tenant(ctx)
	b.must(err)
	a.Tenant = tenant.ID
	got, err := s.Agents().Get(ctx, a.ID)
	b.must(err)
	if !reflect.DeepEqual(got, a) {
		b.Errorf("agent: got %+v, want %+v", got, a)
	}
	a.Name = "100%_Renamed Ärztehaus [Ö*"
	b.must(s.Agents().Set(ctx, a))
	b.must(s.Agents().Set(ctx, a))
	for search, want := range map[string]int{"renamed": 1, "100%_": 1, "100_": 0, "%": 1, "_": 1, "x": 0, "": 1,
		"ärzteHAUS": 1, "ÄRZTE": 1, "rzteh": 1, "[ö*": 1, "ö?": 0, "erzte": 0} {
		list, _, err := s.Agents().List(ctx, store.Page{Search: search})
		b.must(err)
		equal(b, len(list), want, "agents found by "+search)
	}
	tenant.DefaultAgent = a.ID
	b.must(s.SetTenant(ctx, tenant))
	b.must(s.Agents().Remove(ctx, a.ID))
	tenant, err = s.Tenant(ctx)
	b.must(err)
	equal(b, tenant.DefaultAgent, "", "default agent after its removal")
	b.refused(s.Agents().Remove(ctx, a.ID), tenants.Unknown, "removing twice")
	b.refused(s.Agents().Set(ctx, a), tenants.Unknown, "changing a removed agent")
}

// testAgentChains: an agent names others of its tenant, and a removed one disappears from the
// lists.
func testAgentChains(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	first, second, third, foreign := b.newAgent(), b.newAgent(), b.newAgent(), b.newAgent()
	for _, a := range []tenants.Agent{second, third} {
		b.must(s.Agents().Add(ctx, a))
	}
	b.must(other.Agents().Add(ctx, foreign))
	first.Next, first.Lost, first.Attach = []tenants.AgentID{second.ID, foreign.ID}, tenants.LostHangUp, tenants.AttachShown
	b.refused(s.Agents().Add(ctx, first), tenants.Invalid, "an agent of another tenant comes next")
	first.Next = []tenants.AgentID{second.ID, third.ID}
	b.must(s.Agents().Add(ctx, first))
	b.must(s.Agents().Remove(ctx, second.ID))
	got, err := s.Agents().Get(ctx, first.ID)
	b.must(err)
	if !slices.Equal(got.Next, []tenants.AgentID{third.ID}) || got.Lost != tenants.LostHangUp || got.Attach != tenants.AttachShown {
		b.Errorf("after the removal: %+v", got)
	}
	b.refused(s.Agents().Set(ctx, first), tenants.Invalid, "a removed agent comes next")
}

// testAgentSettings: what only a kind of agent has is stored, and its token is sealed.
func testAgentSettings(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	a := b.newAgent()
	token, none := "t0ken", ""
	a.Kind, a.AttachSeconds, a.Secret = tenants.Stream, 7, &token
	a.Stream = &tenants.StreamAgent{
		URL: "wss://bot.example.com/", Dialect: tenants.Twilio, Parameters: map[string]string{"a": "ä"},
	}
	b.must(s.Agents().Add(ctx, a))
	holds := func(step, secret string) {
		b.Helper()
		got, err := s.Agents().Get(ctx, a.ID)
		b.must(err)
		if !reflect.DeepEqual(got.Stream, a.Stream) || got.AttachSeconds != 7 || got.HasSecret != (secret != "") || got.Secret != nil {
			b.Errorf("%s: %+v", step, got)
		}
		opened, err := s.Agents().Secret(ctx, a.ID)
		b.must(err)
		equal(b, opened, secret, step)
	}
	holds("added", "t0ken")
	a.Stream.URL, a.Secret = "wss://bot.example.com/2", nil
	b.must(s.Agents().Set(ctx, a))
	holds("changed without a token", "t0ken")
	token = "another"
	a.Secret = &token
	b.must(s.Agents().Set(ctx, a))
	holds("with another token", "another")
	a.Secret = &none
	b.must(s.Agents().Set(ctx, a))
	holds("without a token", "")
}

// testSounds: an announcement belongs to one built-in agent, is replaced as a whole, and goes with
// the agent, or when it becomes another kind.
func testSounds(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	a := b.newAgent()
	b.must(s.Agents().Add(ctx, a))
	_, err := s.Agents().Sound(ctx, a.ID)
	b.refused(err, tenants.Unknown, "an announcement that was not uploaded")
	for i, sound := range []tenants.Sound{
		{File: []byte("OggS"), MuLaw: []byte{1, 2}, Length: 1500 * time.Millisecond},
		{File: []byte("OggS\x00\xff"), MuLaw: []byte{0}, Length: 2 * time.Minute},
	} {
		changed, err := s.Agents().SetSound(ctx, a.ID, sound, b.clock.Now())
		b.must(err)
		got, err := s.Agents().Sound(ctx, a.ID)
		b.must(err)
		if !reflect.DeepEqual(got, sound) || changed.Program() != tenants.Announcement ||
			changed.Builtin.SoundMS != sound.Length.Milliseconds() {
			b.Errorf("upload %d: %v, %+v", i, got.Length, changed.Builtin)
		}
		stored, err := s.Agents().Get(ctx, a.ID)
		b.must(err)
		if !reflect.DeepEqual(stored.Builtin, changed.Builtin) {
			b.Errorf("upload %d: the agent is %+v", i, stored.Builtin)
		}
	}
	a.Kind, a.Stream = tenants.Stream, &tenants.StreamAgent{URL: "wss://bot.example.com/", Dialect: tenants.Twilio}
	b.must(s.Agents().Set(ctx, a))
	_, err = s.Agents().Sound(ctx, a.ID)
	b.refused(err, tenants.Unknown, "the announcement of an agent that is of another kind now")
	_, err = s.Agents().SetSound(ctx, a.ID, tenants.Sound{}, b.clock.Now())
	b.refused(err, tenants.Conflict, "an announcement for a stream agent")
	for range tenants.CapSounds.Most {
		a = b.newAgent()
		b.must(s.Agents().Add(ctx, a))
		_, err = s.Agents().SetSound(ctx, a.ID, tenants.Sound{File: []byte{1}, MuLaw: []byte{1}}, b.clock.Now())
		b.must(err)
	}
	another := b.newAgent()
	b.must(s.Agents().Add(ctx, another))
	_, err = s.Agents().SetSound(ctx, another.ID, tenants.Sound{File: []byte{1}, MuLaw: []byte{1}}, b.clock.Now())
	b.refused(err, tenants.Unprocessable, "one announcement more than the most")
	b.must(s.Agents().Remove(ctx, a.ID)) // takes its own with it
	_, err = s.Agents().SetSound(ctx, another.ID, tenants.Sound{File: []byte{1}, MuLaw: []byte{1}}, b.clock.Now())
	b.must(err)
}
