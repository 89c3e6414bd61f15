package g722_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"testing"

	"carillon/app/g722"
)

// tone is a sine of the frequency, with a peak below full scale.
func tone(hertz, peak float64, samples int) []int16 {
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(peak * 32767 * math.Sin(2*math.Pi*hertz*float64(i)/16000))
	}
	return out
}

// delay is how many samples the two filters are late.
const delay = 22

// clarity returns the ratio of signal to noise after encoding and decoding, in decibels. The first
// 100 ms are left out: the predictors begin with nothing.
func clarity(in []int16) float64 {
	out := g722.NewDecoder().Decode(nil, g722.NewEncoder().Encode(nil, in))
	var signal, noise float64
	for i := 1600; i+delay < len(out); i++ {
		difference := float64(out[i+delay]) - float64(in[i])
		signal += float64(in[i]) * float64(in[i])
		noise += difference * difference
	}
	return 10 * math.Log10(signal/noise)
}

// TestRoundTrip: what comes out is what went in, over the whole band and a range of levels.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ hertz, peak, least float64 }{
		{300, 0.5, 30}, {440, 0.05, 30}, {1000, 0.5, 30}, {1000, 0.9, 30}, {3000, 0.5, 25}, {5000, 0.5, 10}, {6500, 0.5, 10},
	} {
		if got := clarity(tone(c.hertz, c.peak, 16000)); got < c.least {
			t.Errorf("%v Hz at %v: %.1f dB, want %v", c.hertz, c.peak, got, c.least)
		}
	}
	mixed := tone(350, 0.2, 16000)
	for i, s := range tone(2700, 0.1, 16000) {
		mixed[i] += s
	}
	if got := clarity(mixed); got < 20 {
		t.Errorf("two tones: %.1f dB", got)
	}
}

// TestBitsAreThoseOfOthers: the encoding of a fixed signal, and the sound of fixed bytes. Both were
// compared bit by bit with another implementation of the recommendation, as were 120,000 samples of
// sweeps, noise and full scale.
func TestBitsAreThoseOfOthers(t *testing.T) {
	t.Parallel()
	var in []int16
	var bytes []byte
	for n := uint32(1); len(in) < 8000; n = n*1664525 + 1013904223 {
		in, bytes = append(in, int16(n>>16)>>(len(in)/1000)), append(bytes, byte(n>>24))
	}
	sum := sha256.New()
	sum.Write(g722.NewEncoder().Encode(nil, in))
	_ = binary.Write(sum, binary.LittleEndian, g722.NewDecoder().Decode(nil, bytes))
	if got := hex.EncodeToString(sum.Sum(nil)[:8]); got != "e99f2e0d382eb884" {
		t.Errorf("the bits differ: %s", got)
	}
}

func TestSilenceStaysSilent(t *testing.T) {
	t.Parallel()
	out := g722.NewDecoder().Decode(nil, g722.NewEncoder().Encode(nil, make([]int16, 3200)))
	if most := slices.Max(out); most > 16 || slices.Min(out) < -16 {
		t.Errorf("silence came back as loud as %d", most)
	}
}

// TestLoudSoundDoesNotWrap: a square wave of full scale is limited; it does not change its sign.
func TestLoudSoundDoesNotWrap(t *testing.T) {
	t.Parallel()
	in := make([]int16, 16000)
	for i := range in {
		in[i] = math.MaxInt16
		if i/80%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	out := g722.NewDecoder().Decode(nil, g722.NewEncoder().Encode(nil, in))
	for i := 1600; i+delay < len(out); i++ {
		if i%80 > 10 && i%80 < 70 && (out[i+delay] > 0) != (in[i] > 0) {
			t.Fatalf("sample %d: %d became %d", i, in[i], out[i+delay])
		}
	}
}

// TestPiecesAreOneStream: how a stream is cut makes no difference.
func TestPiecesAreOneStream(t *testing.T) {
	t.Parallel()
	in := tone(700, 0.5, 4800)
	whole := g722.NewEncoder().Encode(nil, in)
	e, d := g722.NewEncoder(), g722.NewDecoder()
	var pieces []byte
	var sound []int16
	for part := range slices.Chunk(in, 34) {
		from := len(pieces)
		pieces = e.Encode(pieces, part)
		sound = d.Decode(sound, pieces[from:])
	}
	if !slices.Equal(pieces, whole) || !slices.Equal(sound, g722.NewDecoder().Decode(nil, whole)) {
		t.Error("the pieces differ from the whole")
	}
	if got := g722.NewEncoder().Encode(nil, in[:3]); len(got) != 1 {
		t.Errorf("three samples gave %d bytes", len(got))
	}
}

// TestFramesAllocateNothing: 20 ms in each direction.
func TestFramesAllocateNothing(t *testing.T) {
	e, d := g722.NewEncoder(), g722.NewDecoder()
	in, bytes, out := tone(440, 0.5, 320), make([]byte, 0, 160), make([]int16, 0, 320)
	if n := testing.AllocsPerRun(50, func() {
		bytes = e.Encode(bytes[:0], in)
		out = d.Decode(out[:0], bytes)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// FuzzDecode: every stream of bytes can be decoded, and encoding what came out does not fail.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0xff, 0x7f, 0x80})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		out := g722.NewDecoder().Decode(nil, encoded)
		if len(out) != 2*len(encoded) || len(g722.NewEncoder().Encode(nil, out)) != len(encoded) {
			t.Errorf("%d bytes gave %d samples", len(encoded), len(out))
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	e, d := g722.NewEncoder(), g722.NewDecoder()
	in, bytes, out := tone(440, 0.5, 320), make([]byte, 0, 160), make([]int16, 0, 320)
	b.ReportAllocs()
	for b.Loop() {
		bytes = e.Encode(bytes[:0], in)
		out = d.Decode(out[:0], bytes)
	}
}
