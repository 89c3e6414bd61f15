package sound_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"carillon/app/sound"
	"carillon/gateway"
)

// page is an Ogg page to be written.
type page struct {
	flags   byte
	granule int64
	serial  uint32
	number  uint32
	packets [][]byte
	open    bool // the last packet goes on
}

func (p page) bytes() []byte {
	var lacing, body []byte
	for i, packet := range p.packets {
		body = append(body, packet...)
		n := len(packet)
		for ; n >= 255; n -= 255 {
			lacing = append(lacing, 255)
		}
		if !p.open || i < len(p.packets)-1 {
			lacing = append(lacing, byte(n))
		}
	}
	b := append([]byte("OggS\x00"), p.flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.granule))
	b = binary.LittleEndian.AppendUint32(b, p.serial)
	b = binary.LittleEndian.AppendUint32(b, p.number)
	b = append(b, 0, 0, 0, 0, byte(len(lacing)))
	return sign(append(append(b, lacing...), body...))
}

// sign writes the checksum of a page.
func sign(b []byte) []byte {
	var crc uint32
	clear(b[22:26])
	for _, c := range b {
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&0x80000000 != 0 {
				crc = crc<<1 ^ 0x04c11db7
			} else {
				crc <<= 1
			}
		}
	}
	binary.LittleEndian.PutUint32(b[22:], crc)
	return b
}

func file(pages ...page) (b []byte) {
	for _, p := range pages {
		b = append(b, p.bytes()...)
	}
	return b
}

var (
	head = page{2, 0, 7, 0, [][]byte{[]byte("OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00")}, false}
	tags = page{0, 0, 7, 1, [][]byte{[]byte("OpusTags\x00\x00\x00\x00\x00\x00\x00\x00")}, false}
)

// voice is a packet of 20 ms.
func voice(n int) []byte { return append([]byte{31 << 3}, bytes.Repeat([]byte{5}, n-1)...) }

func with(p page, change func(*page)) page {
	change(&p)
	return p
}

func TestParse(t *testing.T) {
	t.Parallel()
	last := page{4, 960, 7, 2, [][]byte{voice(50)}, false}
	for _, c := range []struct {
		name string
		file []byte
		long time.Duration
		bad  string
	}{
		{"one packet", file(head, tags, last), 20 * time.Millisecond, ""},
		{"no end mark", file(head, tags, with(last, func(p *page) { p.flags = 0 })), 20 * time.Millisecond, ""},
		{"trimmed end", file(head, tags, with(last, func(p *page) { p.granule = 500 })), 20 * time.Millisecond, ""},
		{"cut out of a stream", file(head, tags, page{0, 100_960, 7, 2, [][]byte{voice(9)}, false},
			page{4, 101_920, 7, 3, [][]byte{voice(9)}, false}), 40 * time.Millisecond, ""},
		{"a packet over two pages", file(head, tags, page{0, -1, 7, 2, [][]byte{voice(510)}, true},
			page{5, 960, 7, 3, [][]byte{bytes.Repeat([]byte{1}, 40)}, false}), 20 * time.Millisecond, ""},
		{"states an hour", file(head, tags, with(last, func(p *page) { p.granule = 3600 * 48000 })), 0, "states a length"},
		{"states an hour at the end", file(head, tags, page{0, 960, 7, 2, [][]byte{voice(9)}, false},
			page{4, 3600 * 48000, 7, 3, [][]byte{voice(9)}, false}), 0, "states a length"},
		{"goes back", file(head, tags, page{0, 960, 7, 2, [][]byte{voice(9)}, false},
			page{4, 10, 7, 3, [][]byte{voice(9)}, false}), 0, "states a length"},
		{"a negative length", file(head, tags, with(last, func(p *page) { p.granule = -9 })), 0, "states a length"},
		{"cut off in a page", file(head, tags, last)[:len(file(head, tags, last))-3], 0, "cut off"},
		{"cut off in a packet", file(head, tags, page{0, -1, 7, 2, [][]byte{voice(510)}, true}), 0, "cut off"},
		{"damaged", bytes.Replace(file(head, tags, last), []byte{5, 5}, []byte{5, 6}, 1), 0, "checksum"},
		{"a page is missing", file(head, last), 0, "missing before page 2"},
		{"two streams", file(head, tags, with(last, func(p *page) { p.serial = 8 })), 0, "more than one stream"},
		{"two recordings", file(head, tags, last, with(head, func(p *page) { p.number = 3 })), 0, "more than one recording"},
		{"no sound", file(head, tags), 0, "no sound"},
		{"six channels", file(with(head, func(p *page) {
			p.packets = [][]byte{[]byte("OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01")}
		}), tags, last), 0, "6 channels"},
		{"vorbis", file(with(head, func(p *page) { p.packets = [][]byte{[]byte("\x01vorbis, which is older than Opus")} })), 0, "no Opus"},
		{"no tags", file(head, with(last, func(p *page) { p.number = 1 })), 0, "OpusTags"},
		{"an empty packet", file(head, tags, with(last, func(p *page) { p.packets = [][]byte{{}} })), 0, "no Opus packet"},
		{"a packet of 300 ms", file(head, tags, with(last, func(p *page) { p.packets = [][]byte{{31<<3 | 3, 15}} })), 0, "no Opus packet"},
		{"a long packet", file(head, tags, with(last, func(p *page) { p.packets = [][]byte{voice(1300)} })), 0, "1275 fit"},
		{"mp3", []byte("ID3\x04 and so on"), 0, "MP3"},
		{"wav", []byte("RIFF....WAVE"), 0, "WAV"},
		{"m4a", []byte("\x00\x00\x00\x20ftypM4A "), 0, "M4A"},
		{"nothing", nil, 0, "empty"},
		{"text", []byte("hello"), 0, "not an Ogg file"},
		{"too large", make([]byte, sound.MaxBytes+1), 0, "2 MiB"},
	} {
		s, err := sound.Parse(c.file)
		var why *sound.Bad
		if c.bad != "" {
			if !errors.As(err, &why) || !strings.Contains(why.Why, c.bad) {
				t.Errorf("%s: %v, want %q", c.name, err, c.bad)
			}
			continue
		}
		if err != nil || s.Duration != c.long || s.Channels != 1 {
			t.Errorf("%s: %+v, %v", c.name, s, err)
		}
	}
}

// TestTwoMinutesAreTheMost, to the packet.
func TestTwoMinutesAreTheMost(t *testing.T) {
	t.Parallel()
	for seconds, fits := range map[int]bool{120: true, 121: false} {
		all := file(head, tags)
		for n := range seconds {
			second := page{0, int64(n+1) * 48000, 7, uint32(n + 2), nil, false}
			for range 50 {
				second.packets = append(second.packets, voice(4))
			}
			all = append(all, second.bytes()...)
		}
		if s, err := sound.Parse(all); (err == nil) != fits || fits && s.Duration != 2*time.Minute {
			t.Errorf("%d seconds: %v", seconds, err)
		}
	}
}

// recording is a real file, as opusenc writes it.
func recording(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../gateway/bells.ogg")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzParse(f *testing.F) {
	f.Add(file(head, tags, page{4, 960, 7, 2, [][]byte{voice(50)}, false}))
	f.Add(recording(f)[:3000])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		for rest := b; len(rest) >= 27; { // with checksums that are right, so that the rest is read
			size := 27 + int(rest[26])
			if len(rest) >= size {
				for _, n := range rest[27:size] {
					size += int(n)
				}
			}
			if len(rest) < size {
				break
			}
			sign(rest[:size])
			rest = rest[size:]
		}
		s, err := sound.Parse(b)
		if err != nil {
			return
		}
		total := 0
		for _, p := range s.Packets {
			total += len(p.Data)
		}
		if total > len(b) || s.Duration > sound.MaxDuration || s.Duration <= 0 {
			t.Errorf("%d bytes hold %d bytes of sound, %v long", len(b), total, s.Duration)
		}
	})
}

// TestPCMU: what is decoded is what opusdec decodes from the same file.
func TestPCMU(t *testing.T) {
	t.Parallel()
	s, err := sound.Parse(recording(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.PCMU()
	if err != nil || len(got)%160 != 0 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	want, err := os.ReadFile("../../gateway/bells.pcmu")
	if err != nil {
		t.Fatal(err)
	}
	const skipped = 52 // the encoder's delay, which opusdec leaves out
	var signal, noise float64
	for i := range want[:32000] {
		a, b := float64(gateway.DecodePCMU(want[i])), float64(gateway.DecodePCMU(got[i+skipped]))
		signal += a * a
		noise += (a - b) * (a - b)
	}
	if signal < 1000*noise {
		t.Errorf("signal %v, difference %v", signal, noise)
	}
}

// FuzzPCMU: no packet makes the decoder panic or write more than it should.
func FuzzPCMU(f *testing.F) {
	f.Add([]byte{31<<3 | 4, 1, 2, 3}, byte(1))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7}, byte(2))
	f.Fuzz(func(t *testing.T, packet []byte, channels byte) {
		s := sound.Sound{Channels: int(channels%2) + 1, Packets: []sound.Packet{{Data: packet}, {Data: packet}}}
		if got, err := s.PCMU(); err == nil && len(got) > 2*960 {
			t.Errorf("%d bytes", len(got))
		}
	})
}
