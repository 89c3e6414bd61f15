package gateway

import "testing"

func TestBellsAreTwentyMillisecondMonoFrames(t *testing.T) {
	t.Parallel()
	frames, err := Bells()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(frames); n < 150 || n > 250 {
		t.Errorf("%d frames, want 3 to 5 s of 20 ms", n)
	}
	for i, f := range frames {
		// RFC 6716 3.1: configurations 1, 5, 9, 13, 15, 19, 23, 27 and 31 are 20 ms; code 0
		// is one frame; the s bit is stereo.
		config, stereo, code := f[0]>>3, f[0]&4 != 0, f[0]&3
		if (config != 31 && config != 15 && config != 13 && config != 27 && config != 23) || stereo || code != 0 {
			t.Fatalf("frame %d: config %d, stereo %v, code %d", i, config, stereo, code)
		}
	}
}
