// Package record is the form of a call's recording: the packets of both tracks, each at its place
// in time, and the files that are made of them. Nothing is encoded again: Opus packets go into Ogg
// (RFC 3533, RFC 7845) and G.711 bytes into WAV. It knows nothing of databases, HTTP or WebRTC.
//
// A recording is stored as a row of chunks, each of which can be read alone: a crash loses the
// chunk at hand and no more. Start reading at Append and Write.
package record

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"
)

// Track is who is heard on a track.
type Track uint8

// The tracks of a recording, in their order in a file.
const (
	Person Track = iota
	Agent
)

// Codec is the codec of a recording.
type Codec string

// The codecs that can be recorded.
const (
	Opus Codec = "opus"
	PCMU Codec = "pcmu"
	PCMA Codec = "pcma"
)

// Rate is the ticks of a second: those of RTP.
func (c Codec) Rate() int64 {
	if c == Opus {
		return 48000
	}
	return 8000
}

// Ending is the ending of a file's name.
func (c Codec) Ending() string {
	if c == Opus {
		return "ogg"
	}
	return "wav"
}

// MediaType is the type of a file.
func (c Codec) MediaType() string {
	if c == Opus {
		return "audio/ogg; codecs=opus"
	}
	return "audio/wav"
}

// Ticks is how long a packet is, in ticks; 0 for one that is no packet of the codec.
func (c Codec) Ticks(payload []byte) int64 {
	if c == Opus {
		return opusTicks(payload)
	}
	return int64(len(payload))
}

// Frame is one packet of sound, at its place in the recording.
type Frame struct {
	Track   Track
	At      int64 // ticks since the recording began
	Payload []byte
}

// maxPayload is the longest packet that is kept: no UDP packet of sound is longer.
const maxPayload = 1500

// Append adds a frame to a chunk. One with an impossible payload is left out.
func Append(chunk []byte, f Frame) []byte {
	if len(f.Payload) == 0 || len(f.Payload) > maxPayload || f.At < 0 {
		return chunk
	}
	chunk = append(chunk, byte(f.Track))
	chunk = binary.AppendUvarint(chunk, uint64(f.At))
	chunk = binary.AppendUvarint(chunk, uint64(len(f.Payload)))
	return append(chunk, f.Payload...)
}

// ErrChunk is the error of a chunk that Append did not make.
var ErrChunk = errors.New("record: this is no chunk of a recording")

// frames reads a chunk. The payloads are parts of it.
func frames(chunk []byte) (list []Frame, err error) {
	for len(chunk) > 0 {
		f := Frame{Track: Track(chunk[0])}
		at, n := binary.Uvarint(chunk[1:])
		if n <= 0 || f.Track > Agent || at > 1<<48 {
			return nil, ErrChunk
		}
		chunk = chunk[1+n:]
		size, n := binary.Uvarint(chunk)
		if n <= 0 || size == 0 || size > maxPayload || uint64(len(chunk)-n) < size {
			return nil, ErrChunk
		}
		f.At, f.Payload = int64(at), chunk[n:n+int(size)]
		list, chunk = append(list, f), chunk[n+int(size):]
	}
	return list, nil
}

// Info is what a file says about its recording.
type Info struct {
	Codec  Codec
	Length int64 // ticks, of the longer track
	Began  time.Time
	Tags   []string // NAME=value, such as CONSENT=…
	Tracks []Track  // those to write; empty = both
}

// Seconds is how long a recording is.
func (i Info) Seconds() float64 { return float64(i.Length) / float64(i.Codec.Rate()) }

// Write writes a recording as a file: Ogg for Opus, WAV for G.711. Two tracks are two logical
// streams in Ogg, and the two channels of a WAV file. Silence between packets is kept. A chunk that
// cannot be read ends the file with its error.
func Write(w io.Writer, i Info, chunks iter.Seq2[[]byte, error]) error {
	if len(i.Tracks) == 0 {
		i.Tracks = []Track{Person, Agent}
	}
	var out interface {
		add(Frame) error
		close() error
	}
	var err error
	switch i.Codec {
	case Opus:
		out, err = newOgg(w, i)
	case PCMU, PCMA:
		out, err = newWAV(w, i)
	default:
		err = fmt.Errorf("record: no file holds the codec %q", i.Codec)
	}
	if err != nil {
		return err
	}
	for f, err := range inOrder(i, chunks) {
		if err != nil {
			return err
		}
		if err := out.add(f); err != nil {
			return err
		}
	}
	return out.close()
}

// inOrder gives the frames of the wanted tracks by their time. Packets overtake each other by less
// than a second.
func inOrder(i Info, chunks iter.Seq2[[]byte, error]) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		var waiting []Frame
		give := func(before int64) bool {
			slices.SortStableFunc(waiting, func(a, b Frame) int { return cmp.Compare(a.At, b.At) })
			n := 0
			for ; n < len(waiting) && waiting[n].At < before; n++ {
				if slices.Contains(i.Tracks, waiting[n].Track) && !yield(waiting[n], nil) {
					return false
				}
			}
			waiting = slices.Delete(waiting, 0, n)
			return true
		}
		newest := int64(0)
		for chunk, err := range chunks {
			var list []Frame
			if err == nil {
				list, err = frames(chunk)
			}
			if err != nil {
				yield(Frame{}, err)
				return
			}
			for _, f := range list {
				newest = max(newest, f.At)
			}
			if waiting = append(waiting, list...); !give(newest - i.Codec.Rate()) {
				return
			}
		}
		give(newest + 1)
	}
}
