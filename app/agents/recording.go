package agents

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"carillon/app/record"
	"carillon/app/sound"
	"carillon/gateway"
	"carillon/tenants"
)

const (
	// chunkTime is how much of a recording a crash may lose.
	chunkTime = 5 * time.Second
	// chunkBytes is when a chunk is stored earlier.
	chunkBytes = 96 << 10
	// chunksWaiting is how many chunks may wait for the database; what comes then is lost.
	chunksWaiting = 8
	// consentWithin is how long a person may take to press a key after the question.
	consentWithin = 5 * time.Second
	// keepWithin is how long the last chunk may take to be stored.
	keepWithin = 10 * time.Second
	// strayMost is how far the times in packets may be from the clock before they are taken for
	// those of a new stream.
	strayMost = 2 * time.Second
)

// askSource is the source of the announcement's packets on a line.
const askSource = 1<<32 - 4

// Tape stores the recording of one call. Its methods are called one after the other.
type Tape interface {
	// Begin makes the recording. Its error is why the call is not recorded: a *tenants.Error says
	// it to people.
	Begin(ctx context.Context, r tenants.Recording) error
	// Add adds a chunk of record.Append. length is of all so far, in ticks; lost counts packets.
	Add(ctx context.Context, chunk []byte, length int64, lost int) error
}

// RecordingConfig is what a Recording is made of. Announcement, Tape, Now and Log are needed.
type RecordingConfig struct {
	Policy       tenants.RecordingPolicy
	Announcement Announcement
	Tape         Tape
	Note         Note // gets whether and why the call is recorded; nil = none
	Now          func() time.Time
	Log          *slog.Logger
}

// Recording is the agent of a call that may be recorded: it announces that, or asks for consent,
// before the agent of the call begins. It is the tap of the call's line too, and stores what passes
// once it may. The sound never waits for it: what it cannot store is counted as lost.
type Recording struct {
	gateway.Agent
	cfg RecordingConfig

	chunks chan []byte // to be stored
	spare  chan []byte // buffers to use again
	done   chan struct{}
	life   context.Context // of what keep does
	giveUp context.CancelFunc

	mu sync.Mutex // guards the rest
	on bool
	// stopped is why it was stopped; "" = it was not
	stopped string
	codec   record.Codec
	began   time.Time
	opened  time.Time // when open was begun
	open    []byte    // the chunk at hand
	length  int64
	lost    int
	places  [2]place
}

// place is where a track is in time.
type place struct {
	known  bool
	source uint32
	from   uint32 // timestamp of the packet that the others are counted from
	at     int64  // its ticks
}

// NewRecording returns an agent that talks like a, and records. It starts nothing.
func NewRecording(a gateway.Agent, c RecordingConfig) *Recording { return &Recording{Agent: a, cfg: c} }

// Warn passes the warning on.
func (r *Recording) Warn(l gateway.Line, left time.Duration) { warn(r.Agent, l, left) }

// Gap passes on that the phone is away, or back.
func (r *Recording) Gap(l gateway.Line, away bool) { gap(r.Agent, l, away) }

// Measure passes on what the agent measures.
func (r *Recording) Measure() gateway.LegSample { return measure(r.Agent) }

// Converse announces the recording or asks for it, and then lets the agent talk.
func (r *Recording) Converse(ctx context.Context, l gateway.Line) error {
	how, refused, err := r.ask(ctx, l)
	if err != nil {
		return err
	}
	if refused == "" {
		refused = r.begin(ctx, l, how)
	}
	if refused != "" {
		r.note("not recorded: " + refused)
		return r.Agent.Converse(ctx, l)
	}
	r.note("recorded: " + how)
	defer r.end()
	return r.Agent.Converse(ctx, l)
}

// Stop ends the recording before the call is over; what was recorded is kept. One that has not
// begun never will.
func (r *Recording) Stop(why string) {
	r.mu.Lock()
	was := r.on
	r.on, r.stopped = false, why
	r.mu.Unlock()
	if was {
		r.note("not recorded any more: " + why)
	}
}

func (r *Recording) note(detail string) {
	if r.cfg.Note != nil {
		r.cfg.Note(tenants.FactRecording, detail)
	}
}

// ask plays the announcement. It returns how the recording was agreed to, or why the call is not
// recorded.
func (r *Recording) ask(ctx context.Context, l gateway.Line) (how, refused string, err error) {
	if _, ok := recorded[l.Codec()]; !ok || len(r.cfg.Announcement[l.Codec()]) == 0 {
		return "", "calls in this codec cannot be recorded", nil
	}
	select {
	case <-l.Audible():
	case <-ctx.Done():
		return "", "", ctx.Err()
	}
	asked, stop := context.WithTimeout(ctx, MaxAnnouncement+consentWithin)
	defer stop()
	var mu sync.Mutex
	var key byte
	leave := l.Attend(func(p gateway.Packet) {
		if mu.Lock(); p.Digit != 0 && key == 0 && r.cfg.Policy == tenants.RecordConsent {
			key = p.Digit
			stop()
		}
		mu.Unlock()
	})
	err = r.cfg.Announcement.play(asked, l)
	if err == nil && r.cfg.Policy == tenants.RecordConsent {
		select {
		case <-asked.Done():
		case <-time.After(consentWithin):
		}
	}
	leave()
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case err != nil && asked.Err() == nil:
		return "", "", err
	case r.cfg.Policy != tenants.RecordConsent:
		return "it was announced", "", nil
	case key == '1':
		return "the person pressed 1", "", nil
	case key != 0:
		return "", fmt.Sprintf("the person pressed %c", key), nil
	}
	return "", "the person did not press 1", nil
}

// recorded are the codecs that a file can hold.
var recorded = map[gateway.Codec]record.Codec{gateway.Opus: record.Opus, gateway.PCMU: record.PCMU, gateway.PCMA: record.PCMA}

// begin makes the recording and starts to take sound. It returns why not.
func (r *Recording) begin(ctx context.Context, l gateway.Line, how string) (refused string) {
	r.mu.Lock()
	stopped := r.stopped
	r.mu.Unlock()
	if stopped != "" {
		return stopped
	}
	codec, now := recorded[l.Codec()], r.cfg.Now()
	err := r.cfg.Tape.Begin(ctx, tenants.Recording{Codec: string(codec), BeganAt: now, Policy: r.cfg.Policy, Consent: how})
	if err != nil {
		if kind := tenants.KindOf(err); kind != tenants.Internal {
			return err.Error()
		}
		r.cfg.Log.Error("a call is not recorded", "err", err)
		return "it could not be stored"
	}
	r.chunks, r.spare, r.done = make(chan []byte, chunksWaiting), make(chan []byte, chunksWaiting), make(chan struct{})
	r.life, r.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	go r.keep()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on, r.codec, r.began, r.opened = r.stopped == "", codec, now, now
	return ""
}

// keep stores chunks until there are no more.
func (r *Recording) keep() {
	defer close(r.done)
	for chunk := range r.chunks {
		ctx, cancel := context.WithTimeout(r.life, keepWithin)
		r.mu.Lock()
		length, lost := r.length, r.lost
		r.mu.Unlock()
		if err := safely(r.cfg.Log, func() error { return r.cfg.Tape.Add(ctx, chunk, length, lost) }); err != nil {
			r.cfg.Log.Error("a part of a recording is lost", "err", err)
			r.mu.Lock()
			r.lost += 2 * int(chunkTime/gateway.Frame)
			if kind := tenants.KindOf(err); kind != tenants.Unavailable {
				r.on = false // it is full, or was erased: nothing more can be stored
			}
			r.mu.Unlock()
		}
		cancel()
		select {
		case r.spare <- chunk[:0]:
		default:
		}
	}
}

// end stores what is left, and waits for it.
func (r *Recording) end() {
	r.mu.Lock()
	r.on = false
	last := r.open
	r.open = nil
	r.mu.Unlock()
	if len(last) > 0 {
		select {
		case r.chunks <- last:
		case <-time.After(keepWithin):
			r.cfg.Log.Error("the end of a recording is lost: the database is too slow")
		}
	}
	close(r.chunks)
	defer r.giveUp()
	select {
	case <-r.done:
	case <-time.After(keepWithin):
		r.giveUp()
		<-r.done
	}
}

// Heard takes a packet from the phone.
func (r *Recording) Heard(p gateway.Packet) { r.take(record.Person, p) }

// Said takes a packet to the phone.
func (r *Recording) Said(p gateway.Packet) { r.take(record.Agent, p) }

func (r *Recording) take(track record.Track, p gateway.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.on || len(p.Payload) == 0 {
		return
	}
	clock := int64(p.At.Sub(r.began)) * r.codec.Rate() / int64(time.Second)
	at := r.places[track].of(p, clock, r.codec.Rate())
	if at < 0 {
		return // said before the recording began
	}
	if len(r.open) > 0 && (p.At.Sub(r.opened) >= chunkTime || len(r.open) >= chunkBytes) && !r.hand() {
		r.lost++
		return
	}
	if len(r.open) == 0 {
		r.opened = p.At
	}
	r.open = record.Append(r.open, record.Frame{Track: track, At: at, Payload: p.Payload})
	r.length = max(r.length, at+r.codec.Ticks(p.Payload))
}

// hand gives the chunk at hand to keep; it is false where too many wait. Called with mu held.
func (r *Recording) hand() bool {
	select {
	case r.chunks <- r.open:
	default:
		return false
	}
	select {
	case r.open = <-r.spare:
	default:
		r.open = make([]byte, 0, chunkBytes+2048)
	}
	return true
}

// of is the place of a packet, in ticks. Within a stream it is counted by the packets' own times;
// a new stream begins at the clock.
func (p *place) of(q gateway.Packet, clock, rate int64) int64 {
	at := p.at + int64(int32(q.Timestamp-p.from))
	if stray := int64(strayMost/time.Second) * rate; !p.known || q.Source != p.source || at < clock-stray || at > clock+stray {
		p.known, p.source, at = true, q.Source, clock
	}
	p.from, p.at = q.Timestamp, at
	return at
}

// FileOf is what the file of a recording says about it.
func FileOf(r tenants.Recording) record.Info {
	return record.Info{Codec: record.Codec(r.Codec), Length: r.Length, Began: r.BeganAt,
		Tags: []string{"CONSENT=" + r.Consent, "DATE=" + r.BeganAt.UTC().Format(time.RFC3339), "RING=" + string(r.Ring)}}
}

// Announcement is a tenant's sound that is played before a call is recorded, ready for phones.
type Announcement map[gateway.Codec][]piece

// piece is one packet of a sound.
type piece struct {
	payload []byte
	ticks   uint32
}

// MaxAnnouncement is the longest sound that a person has to hear before a call begins.
const MaxAnnouncement = time.Minute

// ReadAnnouncement checks an uploaded file, and returns its sound in PCMU. It takes up to half a
// second of CPU. Its error is a *sound.Bad.
func ReadAnnouncement(file []byte) (pcmu []byte, err error) {
	if _, err := NewAnnouncement(file, nil); err != nil {
		return nil, err
	}
	s, err := sound.Parse(file)
	if err != nil {
		return nil, err
	}
	return s.PCMU()
}

// NewAnnouncement makes an announcement of an uploaded file and of its sound in PCMU (see package
// sound). Its error is a *sound.Bad.
func NewAnnouncement(ogg, pcmu []byte) (Announcement, error) {
	s, err := sound.Parse(ogg)
	if err != nil {
		return nil, err
	}
	if s.Duration > MaxAnnouncement {
		return nil, &sound.Bad{Why: "The announcement is longer than a minute. A sentence or two is enough."}
	}
	a := Announcement{}
	for _, p := range s.Packets {
		ticks := uint32(p.Duration * time.Duration(gateway.Opus.ClockRate()) / time.Second)
		a[gateway.Opus] = append(a[gateway.Opus], piece{p.Data, ticks})
	}
	frame := gateway.PCMU.FrameTicks()
	for part := range slices.Chunk(pcmu, int(frame)) {
		a[gateway.PCMU] = append(a[gateway.PCMU], piece{part, uint32(len(part))})
		law := make([]byte, len(part))
		for i, b := range part {
			law[i] = gateway.EncodePCMA(gateway.DecodePCMU(b))
		}
		a[gateway.PCMA] = append(a[gateway.PCMA], piece{law, uint32(len(part))})
	}
	return a, nil
}

// play says a sound on the line, each packet at its own time, and waits for its end.
func (a Announcement) play(ctx context.Context, l gateway.Line) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	began, at := time.Now(), uint32(0)
	for n, p := range a[l.Codec()] {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := l.Say(gateway.Packet{Source: askSource, Sequence: uint16(n), Timestamp: at, Payload: p.payload}); err != nil {
			return err
		}
		at += p.ticks
		timer.Reset(time.Until(began.Add(time.Duration(at) * time.Second / time.Duration(l.Codec().ClockRate()))))
	}
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
