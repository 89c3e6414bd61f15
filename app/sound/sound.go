// Package sound reads sound files that tenants upload, so that calls can play them: Ogg files with
// one Opus stream (RFC 7845). It reads nothing else, and stores nothing. Start reading at Parse.
package sound

import (
	"bytes"
	"fmt"
	"time"
)

const (
	// MaxBytes is the longest file.
	MaxBytes = 2 << 20
	// MaxDuration is the longest sound.
	MaxDuration = 2 * time.Minute
	// maxPacket is the longest packet, in bytes: one Opus frame at its highest rate (RFC 6716 3.2),
	// which fits into one datagram.
	maxPacket = 1275
)

// Sound is the sound of one file.
type Sound struct {
	Channels int // 1 or 2
	Packets  []Packet
	Duration time.Duration // of all packets
	samples  int64
}

// Packet is one packet of Opus. A phone gets it as it is.
type Packet struct {
	Data     []byte // part of the file
	Duration time.Duration
}

// Bad is a file that cannot be used. Why is a sentence for people, with the cure.
type Bad struct{ Why string }

func (b *Bad) Error() string { return "sound: " + b.Why }

func bad(format string, args ...any) error { return &Bad{fmt.Sprintf(format, args...)} }

// cure ends sentences about files of other kinds.
const cure = "Convert it to Ogg Opus, for example with: ffmpeg -i file -ac 1 -c:a libopus -b:a 32k announcement.ogg"

// Parse reads a file. Its packets are parts of the file, which must not be changed after that. The
// error is a *Bad. Every length in the file is checked against what is there.
func Parse(file []byte) (*Sound, error) {
	if len(file) > MaxBytes {
		return nil, bad("The file has more than 2 MiB. A shorter sound, or one at 32 kbit/s, fits.")
	}
	if other := kind(file); other != "" {
		return nil, bad("The file is %s. %s", other, cure)
	}
	var (
		s      Sound
		in     = pages{rest: file}
		at     position
		headed int // header packets that were read
	)
	for {
		packet, ended, err := in.packet()
		switch {
		case err != nil:
		case packet == nil && ended == nil:
			return s.whole()
		case packet == nil && headed == 2:
			err = at.reached(ended, s.samples)
		case packet == nil:
		case headed == 0:
			err = s.head(packet)
			headed++
		case headed == 1:
			if !bytes.HasPrefix(packet, []byte("OpusTags")) {
				err = bad("The file has no OpusTags packet. %s", cure)
			}
			headed++
		default:
			err = s.add(packet)
		}
		if err != nil {
			return nil, err
		}
	}
}

// whole returns the sound at the end of the file.
func (s *Sound) whole() (*Sound, error) {
	if len(s.Packets) == 0 {
		return nil, bad("The file holds no sound.")
	}
	s.Duration = time.Duration(s.samples) * time.Second / rate
	return s, nil
}

// head reads the first packet (RFC 7845 5.1).
func (s *Sound) head(packet []byte) error {
	switch {
	case len(packet) < 19 || string(packet[:8]) != "OpusHead":
		return bad("The Ogg file holds no Opus sound. %s", cure)
	case packet[8]&0xf0 != 0:
		return bad("The file says that it is of version %d of Opus in Ogg. There is only version 1. %s", packet[8], cure)
	case packet[9] < 1 || packet[9] > 2 || packet[18] != 0:
		return bad("The sound has %d channels. A phone plays one or two. %s", packet[9], cure)
	}
	s.Channels = int(packet[9])
	return nil
}

// add takes a packet of sound.
func (s *Sound) add(packet []byte) error {
	d, ok := duration(packet)
	switch {
	case !ok:
		return bad("Packet %d of the sound is no Opus packet. %s", len(s.Packets)+1, cure)
	case len(packet) > maxPacket:
		return bad("Packet %d of the sound has %d bytes, and %d fit into a call. %s", len(s.Packets)+1, len(packet), maxPacket, cure)
	case s.samples+samples(d) > samples(MaxDuration):
		return bad("The sound is longer than 2 minutes.")
	}
	s.Packets = append(s.Packets, Packet{packet, d})
	s.samples += samples(d)
	return nil
}

// rate is the samples a second in which Ogg Opus counts, whatever the sound's bandwidth.
const rate = 48000

func samples(d time.Duration) int64 { return int64(d) * rate / int64(time.Second) }

// position compares the positions that pages state with the sound that was read. A stream may begin
// at any position (RFC 7845 4.3) and end before its last packet does (4.5). It cannot hold more
// than there is, nor go back.
type position struct {
	known bool
	base  int64 // where the sound begins
	said  int64 // by the newest page
}

func (at *position) reached(p *page, read int64) error {
	if p.granule == -1 || read == 0 { // no packet of sound ends in the page
		return nil
	}
	if !at.known {
		at.known = true
		if !p.last {
			at.base = p.granule - read
		}
	}
	if p.granule < at.said || at.base < 0 || p.granule-at.base > read {
		return bad("The file states a length that the sound in it does not have. It may be cut off or joined. %s", cure)
	}
	at.said = p.granule
	return nil
}

// duration returns how long a packet of Opus sounds (RFC 6716 3.1 and 3.2).
func duration(packet []byte) (time.Duration, bool) {
	if len(packet) == 0 {
		return 0, false
	}
	frames := 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0, false
		}
		frames = int(packet[1] & 0x3f)
	}
	d := time.Duration(frames) * frameDurations[packet[0]>>3]
	return d, frames > 0 && d <= 120*time.Millisecond
}

// frameDurations are the durations of a frame for each configuration (RFC 6716 table 2).
var frameDurations = func() (d [32]time.Duration) {
	silk := [4]time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond}
	celt := [4]time.Duration{2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond}
	for c := range d {
		switch {
		case c < 12:
			d[c] = silk[c%4]
		case c < 16:
			d[c] = silk[c%2]
		default:
			d[c] = celt[c%4]
		}
	}
	return d
}()

// kind names a file of another kind by its content; "" = it is Ogg, or nobody knows.
func kind(file []byte) string {
	has := func(at int, mark string) bool {
		return len(file) >= at+len(mark) && string(file[at:at+len(mark)]) == mark
	}
	switch {
	case len(file) == 0:
		return "empty"
	case has(0, "OggS"):
		return ""
	case has(0, "ID3"), len(file) > 1 && file[0] == 0xff && file[1]&0xe0 == 0xe0:
		return "an MP3 or AAC file"
	case has(0, "RIFF"):
		return "a WAV file"
	case has(4, "ftyp"):
		return "an MP4 or M4A file"
	case has(0, "fLaC"):
		return "a FLAC file"
	case has(0, "\x1a\x45\xdf\xa3"):
		return "a WebM or Matroska file"
	}
	return "not an Ogg file"
}
