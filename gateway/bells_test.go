package gateway

import (
	"slices"
	"testing"
)

func TestBellsAreTwentyMillisecondMonoFrames(t *testing.T) {
	t.Parallel()
	frames, err := Bells(Opus)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(frames); n < 150 || n > 250 {
		t.Errorf("%d frames, want 3 to 5 s of 20 ms", n)
	}
	checkFrames(t, frames)
}

func TestNoticeIsTwentyMillisecondMonoFrames(t *testing.T) {
	t.Parallel()
	frames, err := readFrames("notice", noticeOgg)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(frames); n < 200 || n > 400 {
		t.Errorf("%d frames, want 4 to 8 s of 20 ms", n)
	}
	checkFrames(t, frames)
}

func checkFrames(t *testing.T, frames [][]byte) {
	t.Helper()
	for i, f := range frames {
		// RFC 6716 3.1: configurations 1, 5, 9, 13, 15, 19, 23, 27 and 31 are 20 ms; code 0
		// is one frame; the s bit is stereo.
		config, stereo, code := f[0]>>3, f[0]&4 != 0, f[0]&3
		if (!slices.Contains([]byte{1, 5, 9, 13, 15, 19, 23, 27, 31}, config)) || stereo || code != 0 {
			t.Fatalf("frame %d: config %d, stereo %v, code %d", i, config, stereo, code)
		}
	}
}
