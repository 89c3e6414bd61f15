package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

func chunksOf(list ...[]Frame) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, frames := range list {
			var chunk []byte
			for _, f := range frames {
				chunk = Append(chunk, f)
			}
			if !yield(chunk, nil) {
				return
			}
		}
	}
}

// TestWAV: two channels, each byte at its time, silence between, and frames that overtook each
// other across chunks in their place.
func TestWAV(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	info := Info{Codec: PCMU, Length: 8, Tags: []string{"CONSENT=pressed 1"}, Began: time.Unix(0, 0)}
	err := Write(&b, info, chunksOf(
		[]Frame{{Person, 0, []byte{1, 2}}, {Agent, 1, []byte{9, 8}}, {Person, 5, []byte{5}}},
		[]Frame{{Person, 3, []byte{3, 4}}, {Agent, 6, []byte{7, 7, 7}}}))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b.Bytes(), []byte("data"))
	want := []byte{1, 255, 2, 9, 255, 8, 3, 255, 4, 255, 5, 255, 255, 7, 255, 7}
	if got := b.Bytes()[at+8:]; !bytes.Equal(got, want) {
		t.Errorf("samples %v, want %v", got, want)
	}
	if size := binary.LittleEndian.Uint32(b.Bytes()[4:]); int(size) != b.Len()-8 {
		t.Errorf("RIFF size %d of %d bytes", size, b.Len())
	}
	if size := binary.LittleEndian.Uint32(b.Bytes()[at+4:]); size != 16 || !strings.Contains(b.String(), "CONSENT=pressed 1") {
		t.Errorf("data size %d", size)
	}
	b.Reset()
	info.Codec, info.Tracks = PCMA, []Track{Agent}
	if err := Write(&b, info, chunksOf([]Frame{{Person, 0, []byte{1}}, {Agent, 1, []byte{9}}})); err != nil {
		t.Fatal(err)
	}
	if got := b.Bytes()[b.Len()-8:]; !bytes.Equal(got, []byte{0xd5, 9, 0xd5, 0xd5, 0xd5, 0xd5, 0xd5, 0xd5}) {
		t.Errorf("one track: %v", got)
	}
}

// TestOgg: another's reader reads each track, with the times kept and the tags.
func TestOgg(t *testing.T) {
	t.Parallel()
	packet := []byte{0xf8, 1, 2, 3}
	for _, track := range []Track{Person, Agent} {
		var b bytes.Buffer
		err := Write(&b, Info{Codec: Opus, Tracks: []Track{track}, Tags: []string{"CONSENT=announced"}}, chunksOf(
			[]Frame{{track, 960, packet}, {track, 960, packet}, {track, 4800, packet}, {1 - track, 0, packet}},
			[]Frame{{track, 3840, bytes.Repeat([]byte{0xf8}, 700)}}))
		if err != nil {
			t.Fatal(err)
		}
		r, head, err := oggreader.NewWith(&b) // checks the checksums
		if err != nil || head.SampleRate != 48000 || head.Channels != 1 {
			t.Fatal(head, err)
		}
		tags, _, err := r.ParseNextPage()
		if err != nil || !bytes.Contains(tags, []byte("CONSENT=announced")) || !bytes.Contains(tags, []byte("Carillon")) {
			t.Errorf("tags %q %v", tags, err)
		}
		sound, page, err := r.ParseNextPage()
		want := slices.Concat(silence, packet, silence, silence, bytes.Repeat([]byte{0xf8}, 700), packet)
		if err != nil || page.GranulePosition != 5760 || !bytes.Equal(sound, want) {
			t.Errorf("track %d: position %d, %d bytes of %d, %v", track, page.GranulePosition, len(sound), len(want), err)
		}
	}
	var both bytes.Buffer
	if err := Write(&both, Info{Codec: Opus}, chunksOf([]Frame{{Person, 0, packet}, {Agent, 0, packet}})); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(both.Bytes(), []byte("OpusHead")); n != 2 {
		t.Errorf("%d streams", n)
	}
}

func TestOpusTicks(t *testing.T) {
	t.Parallel()
	for want, packets := range map[int64][][]byte{
		960: {{0x08}, {0x68}, {0xf8, 1}, {0xe3, 8}}, 120: {{0x80}}, 2880: {{0x18}}, 1920: {{0xf9}, {0xfa}},
		0: {{}, {0xfb}, {0x1b, 63}, {0xfb, 7}},
	} {
		for _, p := range packets {
			if got := opusTicks(p); got != want {
				t.Errorf("% x: %d, want %d", p, got, want)
			}
		}
	}
}

func TestBrokenChunks(t *testing.T) {
	t.Parallel()
	good := Append(nil, Frame{Agent, 300, []byte{1, 2, 3}})
	for n := 1; n < len(good); n++ {
		if _, err := frames(good[:n]); !errors.Is(err, ErrChunk) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if Append(nil, Frame{At: -1, Payload: []byte{1}}) != nil || Append(nil, Frame{Payload: make([]byte, 1501)}) != nil {
		t.Error("an impossible frame was kept")
	}
	err := Write(&bytes.Buffer{}, Info{Codec: PCMU}, func(yield func([]byte, error) bool) { yield([]byte{9, 9}, nil) })
	if !errors.Is(err, ErrChunk) {
		t.Errorf("a broken chunk: %v", err)
	}
	if err := Write(&bytes.Buffer{}, Info{Codec: "g722"}, chunksOf()); err == nil {
		t.Error("a file of an unknown codec")
	}
}

func FuzzWrite(f *testing.F) {
	f.Add(Append(nil, Frame{Agent, 300, []byte{0xf8, 2, 3}}), true)
	f.Fuzz(func(t *testing.T, chunk []byte, opus bool) {
		list, _ := frames(chunk)
		for _, frame := range list {
			if frame.At > 1<<20 {
				return // hours of silence
			}
		}
		i := Info{Codec: PCMU, Length: 1 << 10}
		if opus {
			i.Codec = Opus
		}
		_ = Write(&bytes.Buffer{}, i, func(yield func([]byte, error) bool) { yield(chunk, nil) })
	})
}
