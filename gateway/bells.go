package gateway

import (
	"bytes"
	_ "embed" // for bells.ogg
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

//go:generate sh -c "cd bells && go run synth.go > bells.wav"
//go:generate -command encode opusenc --quiet --bitrate 64 --framesize 20 --max-delay 20
//go:generate encode --padding 0 --discard-comments bells/bells.wav bells.ogg
//go:generate rm bells/bells.wav

// bellsOgg is the tune of bells/synth.go: one 20 ms Opus packet in a page.
//
//go:embed bells.ogg
var bellsOgg []byte

// Bells returns the greeting sound as 20 ms Opus packets. Each call reads the recording again, so
// callers keep the result. They must not change it.
func Bells() ([][]byte, error) { return readFrames("bells", bellsOgg) }

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
