package agents_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carillon/app/agents"
	"carillon/app/sound"
	"carillon/gateway"
	"carillon/tenants"
)

// program opens a built-in program for one call.
func program(t *testing.T, p tenants.Program, note agents.Note) agents.Agent {
	t.Helper()
	kinds := agents.NewKinds(builtin(t, 0), nil, nil, nil, nil)
	a, err := kinds.Open(t.Context(), tenants.Agent{Kind: tenants.Builtin, Builtin: &tenants.BuiltinAgent{Program: p}},
		agents.Call{Note: note})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Attach(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestEveryProgramCanBeOpened(t *testing.T) {
	t.Parallel()
	kinds := agents.NewKinds(builtin(t, 0), nil, nil, nil, nil)
	for _, p := range tenants.Programs {
		if _, err := kinds.Open(t.Context(), tenants.Agent{
			Kind: tenants.Builtin, Builtin: &tenants.BuiltinAgent{Program: p},
		}, agents.Call{}); err != nil {
			t.Error(err)
		}
	}
	_, err := kinds.Open(t.Context(), tenants.Agent{
		Kind: tenants.Builtin, Builtin: &tenants.BuiltinAgent{Program: "juggle"},
	}, agents.Call{})
	var f *agents.Failure
	if !errors.As(err, &f) || !strings.Contains(f.Cause, "juggle") {
		t.Errorf("a program that does not exist: %v", err)
	}
}

// strokes counts the first packets of the tune among those said from a moment on.
func strokes(said []gateway.Packet, tune [][]byte, from, to time.Time) (n int) {
	for _, p := range said {
		if !p.At.Before(from) && p.At.Before(to) && bytes.Equal(p.Payload, tune[0]) {
			n++
		}
	}
	return n
}

// TestMenuRingsAsTheKeysSay: a key cuts the tune short, rings as often as it says, 0 repeats, and #
// hangs up. The packets are one stream, each in its time.
func TestMenuRingsAsTheKeysSay(t *testing.T) {
	t.Parallel()
	for _, codec := range []gateway.Codec{gateway.Opus, gateway.PCMU, gateway.G722} {
		tune, err := gateway.Bells(codec)
		if codec == gateway.G722 {
			tune, err = gateway.Bells(gateway.PCMU)
		}
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			line := &script{codec: codec}
			for i, k := range []struct {
				after time.Duration
				digit byte
			}{{time.Second, '3'}, {5 * time.Second, '*'}, {6 * time.Second, '0'}, {13 * time.Second, '1'}, {15 * time.Second, '#'}} {
				line.phone = append(line.phone, gateway.Packet{Source: 7, Sequence: uint16(i), Digit: k.digit, At: began.Add(k.after)})
			}
			go line.speak()
			if err := program(t, tenants.Menu, nil).Converse(t.Context(), line); err != nil {
				t.Errorf("%v: # does not hang up: %v", codec, err)
			}
			if ended := time.Since(began); ended != 15*time.Second {
				t.Errorf("%v: it ended after %v", codec, ended)
			}
			if codec == gateway.G722 {
				return // its packets are those of an encoder that goes on
			}
			for _, want := range []struct {
				from, to time.Duration
				n        int
			}{{0, 900 * time.Millisecond, 1}, {time.Second, 5 * time.Second, 3}, {5 * time.Second, 6 * time.Second, 0},
				{6 * time.Second, 12 * time.Second, 1}, {13 * time.Second, 15 * time.Second, 1}} {
				if got := strokes(line.said, tune, began.Add(want.from), began.Add(want.to)); got != want.n {
					t.Errorf("%v: from %v on %d bells were rung, not %d", codec, want.from, got, want.n)
				}
			}
			inTime(t, line, codec)
		})
	}
}

// inTime checks that sequence numbers have no gap, and that the timestamps follow the clock.
func inTime(t *testing.T, line *script, codec gateway.Codec) {
	t.Helper()
	for i, p := range line.said {
		at := time.Duration(p.Timestamp) * time.Second / time.Duration(codec.ClockRate())
		if p.Sequence != uint16(i) || (at-p.At.Sub(line.said[0].At)).Abs() > gateway.Frame {
			t.Fatalf("%v: packet %d: %d, at %v and not %v", codec, i, p.Sequence, at, p.At.Sub(line.said[0].At))
		}
	}
}

// mirror is a line whose phone does something with each packet that is said.
type mirror struct {
	script
	then func(gateway.Packet)
}

func (m *mirror) Say(p gateway.Packet) error {
	err := m.script.Say(p)
	m.then(m.said[len(m.said)-1])
	return err
}

// reply lets the phone send a packet later.
func (m *mirror) reply(p gateway.Packet, after time.Duration) {
	time.AfterFunc(after, func() {
		p.At = time.Now()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.ear != nil {
			m.ear(p)
		}
	})
}

// TestProbeMeasures each of the three ways in which a bell can come back.
func TestProbeMeasures(t *testing.T) {
	t.Parallel()
	quiet := func(c gateway.Codec) []byte {
		if c == gateway.Opus {
			return bytes.Repeat([]byte{1}, 20)
		}
		return bytes.Repeat([]byte{0xff}, 160)
	}
	for _, c := range []struct {
		name  string
		codec gateway.Codec
		phone func(m *mirror, said gateway.Packet, bell bool)
		want  string
	}{
		{"the same packets", gateway.Opus, func(m *mirror, p gateway.Packet, _ bool) { m.reply(p, 130*time.Millisecond) },
			"130 ms until the phone sent the same sound back (5 of 5 bells)"},
		{"the same packets", gateway.PCMU, func(m *mirror, p gateway.Packet, _ bool) { m.reply(p, 90*time.Millisecond) },
			"90 ms until the phone sent the same sound back (5 of 5 bells)"},
		{"the microphone", gateway.PCMU, func(m *mirror, p gateway.Packet, _ bool) {
			p.Payload = slices.Concat(p.Payload[1:], p.Payload[:1]) // as loud, and other bytes
			m.reply(p, 200*time.Millisecond)
		}, "200 ms until the microphone heard the bell (5 of 5 bells)"},
		{"the microphone", gateway.Opus, func(m *mirror, p gateway.Packet, _ bool) {
			p.Payload = bytes.Repeat([]byte{9}, 120)
			m.reply(p, 240*time.Millisecond)
		}, "240 ms until the microphone heard the bell (5 of 5 bells)"},
		{"a key", gateway.Opus, func(m *mirror, _ gateway.Packet, bell bool) {
			if bell {
				m.reply(gateway.Packet{Digit: '5'}, 700*time.Millisecond)
			}
		}, "700 ms until the person pressed a key, with the time they took to react (5 of 5 bells)"},
		{"nothing", gateway.Opus, func(*mirror, gateway.Packet, bool) {},
			"no bell came back: the phone cancels echoes, and nobody pressed a key"},
	} {
		synctest.Test(t, func(t *testing.T) {
			tune, err := gateway.Bells(c.codec)
			if err != nil {
				t.Fatal(err)
			}
			m := &mirror{script: script{codec: c.codec}}
			m.then = func(p gateway.Packet) { c.phone(m, p, bytes.Equal(p.Payload, tune[0])) }
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			var room sync.WaitGroup
			defer room.Wait()
			defer cancel()
			room.Go(func() { // it is quiet
				for n := uint16(0); ctx.Err() == nil; n++ {
					m.reply(gateway.Packet{Source: 9, Sequence: n, Payload: quiet(c.codec)}, 0)
					<-time.After(gateway.Frame)
				}
			})
			var kind tenants.FactKind
			got := ""
			began := time.Now()
			err = program(t, tenants.Probe, func(k tenants.FactKind, detail string) { kind, got = k, detail }).Converse(ctx, m)
			if err != nil || kind != tenants.FactMeasured || got != c.want {
				t.Errorf("%s in %v: %v %q, want %q: %v", c.name, c.codec, kind, got, c.want, err)
			}
			if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
				t.Errorf("%s: it took %v", c.name, took)
			}
		})
	}
}

// TestAnnouncementPlaysAndHangsUp in every codec, each packet in its time.
func TestAnnouncementPlaysAndHangsUp(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../gateway/bells.ogg")
	if err != nil {
		t.Fatal(err)
	}
	uploaded, err := sound.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	read := func(context.Context, tenants.Agent) (tenants.Sound, error) { return uploaded, nil }
	tune, err := gateway.Bells(gateway.Opus)
	if err != nil {
		t.Fatal(err)
	}
	for _, codec := range builtin(t, 0).Codecs() {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			line := &script{codec: codec}
			a := announcing(t, read)
			if err := a.Attach(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := a.Converse(t.Context(), line); err != nil {
				t.Errorf("%v: %v", codec, err)
			}
			a.Close()
			if took := time.Since(began) - uploaded.Length; took < 200*time.Millisecond || took > 400*time.Millisecond ||
				len(line.said) != len(tune) {
				t.Errorf("%v: %d packets, and the end %v after the sound", codec, len(line.said), took)
			}
			inTime(t, line, codec)
			if codec == gateway.Opus && !bytes.Equal(line.said[9].Payload, tune[9]) {
				t.Error("the packets of Opus are not those of the file")
			}
		})
	}
}

func announcing(t *testing.T, read agents.Announcements) agents.Agent {
	t.Helper()
	a, err := agents.NewKinds(builtin(t, 0), nil, nil, nil, read).Open(t.Context(), tenants.Agent{
		Kind: tenants.Builtin, Builtin: &tenants.BuiltinAgent{Program: tenants.Announcement},
	}, agents.Call{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAnnouncementSaysWhyItCannot play: nothing was uploaded, or what is stored cannot be read.
func TestAnnouncementSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	for want, read := range map[string]agents.Announcements{
		"upload an Ogg Opus file": func(context.Context, tenants.Agent) (tenants.Sound, error) {
			return tenants.Sound{}, tenants.NoSuch("announcement")
		},
		"could not be read": func(context.Context, tenants.Agent) (tenants.Sound, error) {
			return tenants.Sound{}, errors.New("disk")
		},
		"upload it again": func(context.Context, tenants.Agent) (tenants.Sound, error) {
			return tenants.Sound{File: []byte("OggS")}, nil
		},
	} {
		a := announcing(t, read)
		err := a.Attach(t.Context())
		var f *agents.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Cause, want) {
			t.Errorf("%v, want %q", err, want)
		}
		a.Close()
		if err := a.Converse(t.Context(), &script{}); err == nil {
			t.Errorf("%s: it talks", want)
		}
	}
}
