package agents

import (
	"context"
	"errors"
	"slices"
	"time"

	"carillon/app/sound"
	"carillon/gateway"
	"carillon/tenants"
)

// Announcements reads the announcement of an agent.
type Announcements func(context.Context, tenants.Agent) (tenants.Sound, error)

// announcementMemory is what the announcements of all calls may hold together, in bytes. A call
// holds its own, because the phone's codec is not known before.
const announcementMemory = 128 << 20

// announcement is the built-in program that plays an uploaded sound and hangs up.
type announcement struct {
	*Builtin
	read  Announcements
	agent tenants.Agent
	sound tenants.Sound // after Attach
	opus  *sound.Sound
	held  int64
}

// Attach reads the sound.
func (a *announcement) Attach(ctx context.Context) error {
	s, err := a.read(ctx, a.agent)
	switch {
	case tenants.KindOf(err) == tenants.Unknown && err != nil:
		return &Failure{Cause: "no sound has been uploaded for the announcement; upload an Ogg Opus file on the agent's page", Err: err}
	case err != nil:
		return &Failure{Cause: "the announcement could not be read", Err: err}
	}
	a.held = int64(len(s.File) + len(s.MuLaw))
	if a.memory.used.Add(a.held) > a.memory.most {
		a.Close()
		return &Failure{Cause: "too many announcements are played at once; try again later"}
	}
	if a.opus, err = sound.Parse(s.File); err != nil {
		a.Close()
		return &Failure{Cause: "the stored announcement cannot be read; upload it again", Err: err}
	}
	a.sound = s
	return nil
}

// Close lets the sound go.
func (a *announcement) Close() {
	a.memory.used.Add(-a.held)
	a.held, a.sound, a.opus = 0, tenants.Sound{}, nil
}

// Converse plays the sound and hangs up.
func (a *announcement) Converse(ctx context.Context, l gateway.Line) error {
	if a.opus == nil {
		return errNotAttached
	}
	defer a.Close()
	t, err := a.tune(l.Codec())
	if err != nil {
		return err
	}
	if err := audible(ctx, l); err != nil {
		return err
	}
	p := player{line: l, now: a.now}
	if _, err := p.play(ctx, t, nil); err != nil {
		return err
	}
	_, err = p.wait(ctx, lastWords)
	return err
}

// lastWords is how long the line stays open after the last packet: the phone's player is behind.
const lastWords = 300 * time.Millisecond

// tune returns the sound in the codec of a line.
func (a *announcement) tune(c gateway.Codec) (t tune, err error) {
	switch c {
	case gateway.Opus:
		for _, p := range a.opus.Packets {
			t.packets, t.lengths = append(t.packets, p.Data), append(t.lengths, p.Duration)
		}
		return t, nil
	case gateway.PCMA:
		return tune{packets: gateway.ALawOf(slices.Collect(slices.Chunk(a.sound.MuLaw, 160)))}, nil
	case gateway.PCMU, gateway.G722:
		t.packets, err = readSound(func(gateway.Codec) ([][]byte, error) {
			return slices.Collect(slices.Chunk(a.sound.MuLaw, int(gateway.PCMU.FrameTicks()))), nil
		}, c)
		return t, err
	}
	return t, errors.New("agents: no announcement in " + c.Name())
}
