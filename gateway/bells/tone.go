//go:build ignore

// Tone writes a soft double tone and a pause to standard output as a WAV file (48 kHz, mono, 16
// bits). It is repeated without a break, so it begins and ends silent.
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
	seconds = 3
	level   = 0.12 // of full scale: it may last, so it is quiet
)

func main() {
	samples := make([]int16, seconds*rate)
	for _, at := range []float64{0.1, 0.5} {
		first := int(at * rate)
		n := int(0.3 * rate)
		for i := range n {
			t := float64(i) / rate
			swell := math.Sin(math.Pi * float64(i) / float64(n))
			x := swell * swell * (0.6*math.Sin(2*math.Pi*440*t) + 0.4*math.Sin(2*math.Pi*554.37*t))
			samples[first+i] = int16(math.Round(x * level * math.MaxInt16))
		}
	}
	w := bufio.NewWriter(os.Stdout)
	size := uint32(2 * len(samples))
	for _, v := range []any{
		[]byte("RIFF"), 36 + size, []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1),
		uint32(rate), uint32(rate * 2), uint16(2), uint16(16), []byte("data"), size, samples,
	} {
		if err := binary.Write(w, binary.LittleEndian, v); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
}
