package record

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
)

// The format tags of G.711 in WAV (RFC 2361).
const (
	formatALaw  = 6
	formatMuLaw = 7
)

// wavFile writes G.711 with one channel for each track.
type wavFile struct {
	w       io.Writer
	tracks  []Track
	silence byte
	length  int64  // ticks that the header promises
	base    int64  // ticks that were written
	pending []byte // what follows base, interleaved
}

func newWAV(w io.Writer, i Info) (*wavFile, error) {
	f := &wavFile{w: w, tracks: i.Tracks, silence: 0xff, length: max(0, i.Length)}
	format := uint16(formatMuLaw)
	if i.Codec == PCMA {
		f.silence, format = 0xd5, formatALaw
	}
	channels := uint32(len(f.tracks))
	size := uint32(f.length) * channels
	note := info(i)
	var h bytes.Buffer
	put := func(parts ...any) {
		for _, p := range parts {
			if s, ok := p.(string); ok {
				h.WriteString(s)
				continue
			}
			_ = binary.Write(&h, binary.LittleEndian, p) // a Buffer takes all
		}
	}
	put("fmt ", uint32(18), format, uint16(channels), uint32(8000), 8000*channels, uint16(channels), uint16(8), uint16(0),
		"fact", uint32(4), uint32(f.length))
	put(string(note))
	put("data", size)
	head := append([]byte("RIFF"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(head[4:], uint32(4+h.Len())+size+size%2)
	_, err := w.Write(append(append(head, "WAVE"...), h.Bytes()...))
	return f, err
}

// info is a LIST chunk with the tags as a comment, and the time of the recording.
func info(i Info) []byte {
	var body []byte
	add := func(name, text string) {
		text += "\x00"
		if len(text)%2 == 1 {
			text += "\x00"
		}
		body = append(binary.LittleEndian.AppendUint32(append(body, name...), uint32(len(text))), text...)
	}
	add("ICRD", i.Began.UTC().Format("2006-01-02"))
	add("ICMT", strings.Join(i.Tags, "; "))
	add("ISFT", "Carillon")
	body = append([]byte("INFO"), body...)
	return append(binary.LittleEndian.AppendUint32([]byte("LIST"), uint32(len(body))), body...)
}

// add writes a packet at its time. Frames come in order, so what is before this one is complete.
func (f *wavFile) add(p Frame) error {
	if err := f.flush(min(p.At, f.length)); err != nil {
		return err
	}
	channel := 0
	for n, t := range f.tracks {
		if t == p.Track {
			channel = n
		}
	}
	step := int64(len(f.tracks))
	for n, b := range p.Payload {
		at := p.At + int64(n) - f.base
		if at < 0 || p.At+int64(n) >= f.length {
			continue
		}
		for int64(len(f.pending)) < (at+1)*step {
			f.pending = append(f.pending, f.silence)
		}
		f.pending[at*step+int64(channel)] = b
	}
	return nil
}

// flush writes everything before a time.
func (f *wavFile) flush(before int64) error {
	n := (before - f.base) * int64(len(f.tracks))
	if n <= 0 {
		return nil
	}
	have := min(n, int64(len(f.pending)))
	if _, err := f.w.Write(f.pending[:have]); err != nil {
		return err
	}
	f.pending = append(f.pending[:0], f.pending[have:]...)
	gap := bytes.Repeat([]byte{f.silence}, 4096)
	for left := n - have; left > 0; left -= int64(len(gap)) {
		if _, err := f.w.Write(gap[:min(left, int64(len(gap)))]); err != nil {
			return err
		}
	}
	f.base = before
	return nil
}

func (f *wavFile) close() error {
	if err := f.flush(f.length); err != nil {
		return err
	}
	if f.length*int64(len(f.tracks))%2 == 1 {
		_, err := f.w.Write([]byte{0})
		return err
	}
	return nil
}
