package agents

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carillon/app/record"
	"carillon/gateway"
	"carillon/tenants"
)

// memoryTape keeps a recording in memory.
type memoryTape struct {
	mu     sync.Mutex
	began  tenants.Recording
	refuse error
	add    func() error
	chunks [][]byte
	length int64
	lost   int
}

func (m *memoryTape) Begin(_ context.Context, r tenants.Recording) error {
	m.began = r
	return m.refuse
}

func (m *memoryTape) Add(_ context.Context, chunk []byte, length int64, lost int) error {
	if m.add != nil {
		if err := m.add(); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chunks, m.length, m.lost = append(m.chunks, bytes.Clone(chunk)), length, lost
	return nil
}

// wav is the sound of the recording: the person's bytes and the agent's.
func (m *memoryTape) wav(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	rec := m.began
	rec.Length = m.length
	err := record.Write(&b, FileOf(rec), func(yield func([]byte, error) bool) {
		for _, c := range m.chunks {
			if !yield(c, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[bytes.Index(b.Bytes(), []byte("data"))+8:]
}

// announced is one of our own recordings as an upload.
func announced(t *testing.T) Announcement {
	t.Helper()
	file, err := os.ReadFile("../../gateway/tone.ogg")
	if err != nil {
		t.Fatal(err)
	}
	pcmu, err := ReadAnnouncement(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewAnnouncement(file, pcmu)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func recordingOf(t *testing.T, s *story, tape *memoryTape, policy tenants.RecordingPolicy, a *actor) *Recording {
	t.Helper()
	return NewRecording(a, RecordingConfig{Policy: policy, Announcement: announced(t), Tape: tape, Note: s.note, Now: time.Now,
		Log: slog.New(slog.DiscardHandler)})
}

// TestConsent: the call is recorded if the person presses 1, during the question or soon after it,
// and else it goes on unrecorded. The agent hears and says nothing before.
func TestConsent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policy tenants.RecordingPolicy
		key    byte
		after  time.Duration
		want   string
		waits  bool // until the time for an answer is over
	}{
		"announced":       {tenants.RecordAnnounce, 0, 0, "recorded: it was announced", false},
		"pressed 1":       {tenants.RecordConsent, '1', time.Second, "recorded: the person pressed 1", false},
		"pressed 1 later": {tenants.RecordConsent, '1', 5 * time.Second, "recorded: the person pressed 1", false},
		"pressed 2":       {tenants.RecordConsent, '2', time.Second, "not recorded: the person pressed 2", false},
		"pressed nothing": {tenants.RecordConsent, 0, 0, "not recorded: the person did not press 1", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var s story
			tape, l := &memoryTape{}, newDeskLine()
			var r *Recording
			spoke := false
			r = recordingOf(t, &s, tape, c.policy, &actor{converse: func(_ context.Context, l gateway.Line) error {
				spoke = true
				r.Heard(gateway.Packet{Source: 5, Payload: []byte{1}, At: time.Now()})
				return l.Say(gateway.Packet{Source: 1})
			}})
			r.Heard(gateway.Packet{Source: 5, Payload: []byte{9}, At: time.Now()}) // before the question
			if c.key != 0 {
				go func() {
					<-time.After(c.after)
					if spoke {
						t.Errorf("%s: the agent spoke before the answer", name)
					}
					l.hear(gateway.Packet{Digit: c.key})
				}()
			}
			began := time.Now()
			if err := r.Converse(t.Context(), l); err != nil || !spoke {
				t.Errorf("%s: %v", name, err)
			}
			s.want(t, "recording "+c.want)
			if took := time.Since(began); c.waits && took < consentWithin {
				t.Errorf("%s: after %s", name, took)
			}
			if on := c.want[0] == 'r'; on != (len(tape.chunks) == 1) || on && (tape.began.Codec != "pcmu" || tape.length != 1) {
				t.Errorf("%s: %d chunks, %+v", name, len(tape.chunks), tape.began)
			}
		})
	}
}

// TestRecordingKeepsTime: each packet is at its own time, across chunks, a new source and silence;
// both tracks are in the file, and nothing is left in memory at the end.
func TestRecordingKeepsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		tape := &memoryTape{}
		var r *Recording
		r = recordingOf(t, &s, tape, tenants.RecordAnnounce, &actor{converse: func(context.Context, gateway.Line) error {
			began := time.Now()
			at := func(d time.Duration) time.Time { return began.Add(d) }
			say := func(ms int, source, timestamp uint32, payload byte) {
				r.Heard(gateway.Packet{Source: source, Timestamp: timestamp, Payload: bytes.Repeat([]byte{payload}, 160),
					At: at(time.Duration(ms) * time.Millisecond)})
			}
			say(0, 7, 4_294_967_200, 1) // the timestamp wraps
			say(33, 7, 64, 2)           // 20 ms later by its own clock, and 33 by ours
			say(6000, 7, 64+48_000-160, 3)
			say(7000, 8, 12345, 4) // another source: by our clock
			r.Said(gateway.Packet{Timestamp: 99, Payload: bytes.Repeat([]byte{5}, 160), At: at(time.Second)})
			return nil
		}})
		if err := r.Converse(t.Context(), newDeskLine()); err != nil {
			t.Fatal(err)
		}
		if len(tape.chunks) != 2 || tape.lost != 0 || tape.length != 56_160 {
			t.Errorf("%d chunks, %d lost, %d long", len(tape.chunks), tape.lost, tape.length)
		}
		sound := tape.wav(t)
		for place, want := range map[int]byte{
			0: 1, 159: 1, 160: 2, 319: 2, 320: 0xff, 47_999: 0xff, 48_000: 3, 48_159: 3, 48_160: 0xff, 56_000: 4,
		} {
			if got := sound[2*place]; got != want {
				t.Errorf("the person at %d: %d, want %d", place, got, want)
			}
		}
		if sound[2*8000+1] != 5 || sound[2*7999+1] != 0xff {
			t.Error("the agent is not at its second")
		}
	})
}

// TestAStoppedRecording: what came before is kept, nothing that comes later is, and the timeline
// says why. One that is stopped before it begins is never begun.
func TestAStoppedRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, early := range []bool{false, true} {
			var s story
			tape := &memoryTape{}
			var r *Recording
			r = recordingOf(t, &s, tape, tenants.RecordAnnounce, &actor{converse: func(context.Context, gateway.Line) error {
				p := gateway.Packet{Payload: bytes.Repeat([]byte{1}, 160), At: time.Now()}
				r.Heard(p)
				r.Stop("another person joins")
				p.Timestamp += 160
				r.Heard(p)
				return nil
			}})
			if early {
				r.Stop("another person joins")
			}
			if err := r.Converse(t.Context(), newDeskLine()); err != nil {
				t.Fatal(err)
			}
			if want := int64(160); !early && tape.length != want || early && len(tape.chunks) != 0 {
				t.Errorf("stopped early: %v; %d chunks, %d long", early, len(tape.chunks), tape.length)
			}
		}
	})
}

// TestSlowTape: sound never waits for the database. What cannot be kept is counted.
func TestSlowTape(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s story
		gate := make(chan struct{})
		tape := &memoryTape{add: func() error { <-gate; return nil }}
		var r *Recording
		r = recordingOf(t, &s, tape, tenants.RecordAnnounce, &actor{converse: func(context.Context, gateway.Line) error {
			began := time.Now()
			for i := range 20 {
				r.Said(gateway.Packet{Timestamp: uint32(i * 48_000), Payload: []byte{1}, At: began.Add(time.Duration(i) * 6 * time.Second)})
			}
			close(gate)
			return nil
		}})
		if err := r.Converse(t.Context(), newDeskLine()); err != nil {
			t.Fatal(err)
		}
		if kept := len(tape.chunks); kept < chunksWaiting || kept >= 20 || tape.lost != 20-kept {
			t.Errorf("%d chunks kept, %d packets lost", kept, tape.lost)
		}
	})
}

// TestNoTape: a call that cannot be recorded goes on, and says why.
func TestNoTape(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"it could not be stored": errors.New("disk"),
		"it is full":             tenants.Refuse(tenants.Unprocessable, "recordings_full", "it is full"),
	} {
		synctest.Test(t, func(t *testing.T) {
			var s story
			talked := false
			r := recordingOf(t, &s, &memoryTape{refuse: err}, tenants.RecordAnnounce,
				&actor{converse: func(context.Context, gateway.Line) error { talked = true; return nil }})
			if err := r.Converse(t.Context(), newDeskLine()); err != nil || !talked {
				t.Errorf("%v, talked %v", err, talked)
			}
			s.want(t, "recording not recorded: "+want)
			r.Warn(nil, time.Second)
		})
	}
}

// TestTakeAllocatesNothing: recording costs the sound path no garbage once its buffers are there.
func TestTakeAllocatesNothing(t *testing.T) {
	r := &Recording{on: true, codec: record.Opus, began: time.Now(), open: make([]byte, 0, 2*chunkBytes)}
	r.opened = r.began
	p := gateway.Packet{Source: 1, Payload: make([]byte, 80), At: r.began}
	if n := testing.AllocsPerRun(500, func() {
		p.Timestamp += 960
		p.At = p.At.Add(time.Millisecond)
		r.Heard(p)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
