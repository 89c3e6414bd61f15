//go:build ignore

// Synth writes a short tune of bells to standard output as a WAV file (48 kHz, mono, 16 bits). To
// change the sound, run go generate in the folder of the gateway, which needs opusenc, and commit
// bells.ogg.
package main

import (
	"bufio"
	"encoding/binary"
	"log"
	"math"
	"os"
)

const (
	rate    = 48000
	seconds = 4.2
	peak    = 0.6 // of full scale: bells are loud, and a phone is near the ear
)

// partials of a bell, relative to its strike note. They are not harmonics: the lowest are the hum
// an octave below, the prime, a minor third (tierce), a fifth (quint) and the octave (nominal); the
// higher ones are farther apart. Low partials last longer than high ones.
var partials = []struct{ ratio, level, decay float64 }{
	{0.5, 0.35, 2.6},    // hum
	{1.0, 0.60, 1.7},    // prime
	{1.183, 0.42, 1.25}, // tierce
	{1.506, 0.22, 0.85}, // quint
	{2.0, 0.55, 0.95},   // nominal
	{2.514, 0.20, 0.50}, // deciem
	{2.662, 0.16, 0.42}, // undeciem
	{3.011, 0.18, 0.36}, // duodeciem
	{4.166, 0.12, 0.22}, // upper octave
	{5.43, 0.06, 0.12},
}

// strokes of the tune: G major, and the last note with its octave below.
var strokes = []struct{ at, hertz, level float64 }{
	{0.00, 783.99, 0.85}, // G5
	{0.38, 659.26, 0.80}, // E5
	{0.76, 880.00, 0.85}, // A5
	{1.14, 587.33, 0.90}, // D5
	{1.70, 783.99, 0.95}, // G5
	{1.72, 392.00, 0.70}, // G4
}

func main() {
	samples := make([]float64, int(seconds*rate))
	for _, s := range strokes {
		strike(samples, s.at, s.hertz, s.level)
	}
	fade(samples)
	if err := write(normal(samples)); err != nil {
		log.Fatal(err)
	}
}

// strike adds one stroke. Each partial is two near frequencies that beat slowly, because a real
// bell is never quite round.
func strike(to []float64, at, hertz, level float64) {
	first := int(at * rate)
	// The sound of small bells ends sooner.
	life := math.Sqrt(523.25 / hertz)
	for k, p := range partials {
		f, beat := hertz*p.ratio, 0.35+0.12*float64(k)
		for i := first; i < len(to); i++ {
			t := float64(i-first) / rate
			attack := 1 - math.Exp(-t/(0.0015+0.002/p.ratio))
			envelope := attack * math.Exp(-t*math.Ln2*3/(p.decay*life))
			if t > 0.05 && envelope < 1e-5 {
				break
			}
			tone := 0.7*math.Sin(2*math.Pi*f*t) + 0.3*math.Sin(2*math.Pi*(f+beat)*t)
			to[i] += level * p.level * envelope * tone
		}
	}
}

// fade lowers the last half second to silence.
func fade(samples []float64) {
	n := rate / 2
	for i := range n {
		x := float64(i) / float64(n)
		samples[len(samples)-1-i] *= x * x * (3 - 2*x)
	}
}

func normal(samples []float64) []int16 {
	top := 0.0
	for _, s := range samples {
		top = math.Max(top, math.Abs(s))
	}
	out := make([]int16, len(samples))
	for i, s := range samples {
		out[i] = int16(math.Round(s / top * peak * math.MaxInt16))
	}
	return out
}

func write(samples []int16) error {
	w := bufio.NewWriter(os.Stdout)
	size := uint32(2 * len(samples))
	header := []any{
		[]byte("RIFF"), 36 + size, []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1),
		uint32(rate), uint32(rate * 2), uint16(2), uint16(16), []byte("data"), size, samples,
	}
	for _, v := range header {
		if err := binary.Write(w, binary.LittleEndian, v); err != nil {
			return err
		}
	}
	return w.Flush()
}
