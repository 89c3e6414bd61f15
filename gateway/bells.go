package gateway

import (
	"bytes"
	_ "embed" // for the recordings
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

//go:generate sh -c "cd bells && go run synth.go > bells.wav"
//go:generate -command encode opusenc --quiet --bitrate 64 --framesize 20 --max-delay 20
//go:generate encode --padding 0 --discard-comments bells/bells.wav bells.ogg
//go:generate rm bells/bells.wav
//go:generate sh -c "opusdec --quiet --rate 8000 bells.ogg - | go run bells/pcmu.go > bells.pcmu"

// bellsOgg is the tune of bells/synth.go: one 20 ms Opus packet in a page.
//
//go:embed bells.ogg
var bellsOgg []byte

// bellsPCMU is the same in PCMU, without a header.
//
//go:embed bells.pcmu
var bellsPCMU []byte

// Bells returns the greeting sound as 20 ms packets of the codec, or nothing for G722. Each call
// reads the recording again, so callers keep the result. They must not change it.
func Bells(c Codec) ([][]byte, error) { return readRecording("bells", c, bellsOgg, bellsPCMU) }

// readRecording returns the packets of a recording in a codec.
func readRecording(name string, c Codec, ogg, pcmu []byte) ([][]byte, error) {
	switch c {
	case Opus:
		return readFrames(name, ogg)
	case PCMU:
		return slices.Collect(slices.Chunk(pcmu, int(c.FrameTicks()))), nil
	case PCMA:
		return ALawOf(slices.Collect(slices.Chunk(pcmu, int(c.FrameTicks())))), nil
	}
	return nil, nil
}

// readFrames returns the Opus packets of a recording that has one in a page.
func readFrames(name string, ogg []byte) ([][]byte, error) {
	r, _, err := oggreader.NewWith(bytes.NewReader(ogg))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var frames [][]byte
	for {
		page, _, err := r.ParseNextPage()
		switch {
		case errors.Is(err, io.EOF):
			return frames, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case strings.HasPrefix(string(page), "OpusTags"):
		default:
			frames = append(frames, page)
		}
	}
}
