package record

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/bits"
)

// opusTicks is how long an Opus packet is at 48 kHz (RFC 6716 3.1); 0 for a packet that breaks its
// rules.
func opusTicks(p []byte) int64 {
	if len(p) == 0 {
		return 0
	}
	count := int64(1)
	switch p[0] & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(p) < 2 {
			return 0
		}
		count = int64(p[1] & 0x3f)
	}
	var size int64
	switch config := p[0] >> 3; {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		size = []int64{480, 960, 1920, 2880}[config&3]
	case config < 16: // both: 10, 20 ms
		size = 480 << (config & 1)
	default: // CELT: 2.5, 5, 10, 20 ms
		size = 120 << (config & 3)
	}
	if size*count > 5760 { // 120 ms
		return 0
	}
	return size * count
}

// silence is 20 ms of digital silence in Opus: a CELT packet of one frame.
var silence = []byte{0xf8, 0xff, 0xfe}

const silenceTicks = 960

// The bounds of a page: a second of 20 ms packets, within the 255 segments of RFC 3533.
const (
	pagePackets  = 50
	pageSegments = 200
)

// oggFile writes logical streams of Opus, one for each track.
type oggFile struct {
	w       io.Writer
	streams map[Track]*oggStream
	order   []*oggStream
}

// oggStream is one logical stream.
type oggStream struct {
	w        io.Writer
	serial   uint32
	sequence uint32
	end      int64 // ticks that were written
	lacing   []byte
	body     []byte
	packets  int
}

func newOgg(w io.Writer, i Info) (*oggFile, error) {
	f := &oggFile{w: w, streams: map[Track]*oggStream{}}
	for _, t := range i.Tracks {
		s := &oggStream{w: w, serial: 1 + uint32(t)}
		f.streams[t], f.order = s, append(f.order, s)
	}
	for _, s := range f.order { // all first pages precede all others (RFC 3533 4)
		// version 1, one channel, nothing to skip, 48 kHz, no gain, mapping family 0
		s.packet([]byte("OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00"))
		if err := s.flush(pageFirst); err != nil {
			return nil, err
		}
	}
	for n, s := range f.order {
		s.packet(opusTags(append([]string{"TITLE=" + []string{"Person", "Agent"}[i.Tracks[n]]}, i.Tags...)))
		if err := s.flush(0); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func opusTags(tags []string) []byte {
	text := func(b []byte, s string) []byte {
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	b := text([]byte("OpusTags"), "Carillon")
	b = binary.LittleEndian.AppendUint32(b, uint32(len(tags)))
	for _, t := range tags {
		b = text(b, t)
	}
	return b
}

// add writes a packet at its time. What is missing before it becomes silence; what is there already
// is dropped.
func (f *oggFile) add(p Frame) error {
	s, ticks := f.streams[p.Track], opusTicks(p.Payload)
	if ticks == 0 || p.At+ticks/2 < s.end {
		return nil
	}
	for s.end+silenceTicks <= p.At {
		if err := s.put(silence, silenceTicks); err != nil {
			return err
		}
	}
	return s.put(p.Payload, ticks)
}

func (f *oggFile) close() error {
	for _, s := range f.order {
		if err := s.flush(pageLast); err != nil {
			return err
		}
	}
	return nil
}

func (s *oggStream) put(payload []byte, ticks int64) error {
	if s.packets == pagePackets || len(s.lacing)+len(payload)/255+1 > pageSegments {
		if err := s.flush(0); err != nil {
			return err
		}
	}
	s.packet(payload)
	s.end += ticks
	return nil
}

func (s *oggStream) packet(payload []byte) {
	for n := len(payload); ; n -= 255 {
		if n < 255 {
			s.lacing = append(s.lacing, byte(n))
			break
		}
		s.lacing = append(s.lacing, 255)
	}
	s.body = append(s.body, payload...)
	s.packets++
}

// The flags of a page.
const (
	pageFirst = 2
	pageLast  = 4
)

// flush writes what waits as one page.
func (s *oggStream) flush(flags byte) error {
	page := append([]byte("OggS\x00"), flags)
	page = binary.LittleEndian.AppendUint64(page, uint64(s.end))
	page = binary.LittleEndian.AppendUint32(page, s.serial)
	page = binary.LittleEndian.AppendUint32(page, s.sequence)
	page = binary.LittleEndian.AppendUint32(page, 0) // checksum
	page = append(append(page, byte(len(s.lacing))), s.lacing...)
	page = append(page, s.body...)
	binary.LittleEndian.PutUint32(page[22:], oggSum(page))
	s.sequence++
	s.lacing, s.body, s.packets = s.lacing[:0], s.body[:0], 0
	_, err := s.w.Write(page)
	return err
}

// oggSum is the checksum of RFC 3533 6: the polynomial of IEEE 802.3, not reflected, from 0 and
// without a final inversion. The reflected one of the library gives it from reflected bytes.
func oggSum(page []byte) uint32 {
	mirrored := make([]byte, len(page))
	for i, b := range page {
		mirrored[i] = bits.Reverse8(b)
	}
	return bits.Reverse32(^crc32.Update(^uint32(0), crc32.IEEETable, mirrored))
}
