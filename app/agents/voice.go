package agents

import (
	"encoding/binary"
	"math"
	"slices"

	"carillon/app/agents/dialect"
	"carillon/app/g722"
	"carillon/gateway"
)

// voice converts the sound of a stream between the phone's codec and the agent's encoding. Mu-law
// is the phone's PCMU and passes through. One goroutine may use toAgent while another uses toPhone;
// what they return is valid until their next call.
type voice struct {
	silence []byte                 // 20 ms for the agent
	toAgent func(in []byte) []byte // a packet of the phone, of any duration
	toPhone func(in []byte) []byte // 20 ms of the agent
}

// encodingCodecs are the phone's codecs that can be converted to each encoding, the best first.
// L16 is as wide as G.722. A phone that has only PCMU can still call, and sounds like a telephone.
var encodingCodecs = map[dialect.Encoding][]gateway.Codec{
	dialect.MuLaw: {gateway.PCMU},
	dialect.L16:   {gateway.G722, gateway.PCMU},
}

// newVoice returns the conversion between an encoding and one of its codecs.
func newVoice(e dialect.Encoding, c gateway.Codec) *voice {
	if e == dialect.MuLaw {
		same := func(in []byte) []byte { return in }
		return &voice{silence: silentFrame[:], toAgent: same, toPhone: same}
	}
	v := &voice{silence: make([]byte, 2*wideFrame)}
	if c == gateway.G722 {
		v.toAgent, v.toPhone = fromG722(), toG722()
	} else {
		v.toAgent, v.toPhone = fromPCMU(), toPCMU()
	}
	return v
}

// wideFrame is the samples of 20 ms at 16 kHz.
const wideFrame = 320

// silentFrame is 20 ms of mu-law silence.
var silentFrame = func() (f [160]byte) {
	for i := range f {
		f[i] = muLawSilence
	}
	return f
}()

// muLawSilence is the code of zero in mu-law (ITU-T G.711).
const muLawSilence = 0xff

// readSound returns the frames of one of the gateway's recordings in a codec. G.722 is made from
// PCMU: there are no recordings in it.
func readSound(read func(gateway.Codec) ([][]byte, error), c gateway.Codec) ([][]byte, error) {
	if c != gateway.G722 {
		return read(c)
	}
	frames, err := read(gateway.PCMU)
	wide, narrow := fromPCMU(), toG722()
	made := make([][]byte, len(frames))
	for i, frame := range frames {
		made[i] = slices.Clone(narrow(wide(frame)))
	}
	return made, err
}

func fromG722() func([]byte) []byte {
	var (
		decoder = g722.NewDecoder()
		samples []int16
		out     []byte
	)
	return func(in []byte) []byte {
		samples = decoder.Decode(samples[:0], in)
		out = appendL16(out[:0], samples)
		return out
	}
}

func toG722() func([]byte) []byte {
	var (
		encoder = g722.NewEncoder()
		samples []int16
		out     []byte
	)
	return func(in []byte) []byte {
		samples = samplesOf(samples[:0], in)
		out = encoder.Encode(out[:0], samples)
		return out
	}
}

func appendL16(to []byte, samples []int16) []byte {
	for _, s := range samples {
		to = binary.LittleEndian.AppendUint16(to, uint16(s))
	}
	return to
}

func samplesOf(to []int16, l16 []byte) []int16 {
	for ; len(l16) > 1; l16 = l16[2:] {
		to = append(to, int16(binary.LittleEndian.Uint16(l16)))
	}
	return to
}

// half is a half-band filter: the factors of the samples at distances 1, 3, 5 … from the middle, of
// a sinc under a Hamming window. It doubles a rate, and halves one.
var half = func() (h [6]float32) {
	for k := range h {
		at := float64(k) + 0.5
		h[k] = float32(math.Sin(math.Pi*at) / (math.Pi * at) * (0.54 + 0.46*math.Cos(math.Pi*at/6)))
	}
	return h
}()

// fromPCMU doubles the rate of PCMU. Half a millisecond is held back for the filter.
func fromPCMU() func([]byte) []byte {
	var (
		newest  [12]float32
		samples []int16
		out     []byte
	)
	return func(in []byte) []byte {
		samples = samples[:0]
		for _, b := range in {
			copy(newest[:], newest[1:])
			newest[11] = float32(gateway.DecodePCMU(b))
			var between float32
			for k, h := range half {
				between += h * (newest[5-k] + newest[6+k])
			}
			samples = append(samples, int16(newest[5]), rounded(between))
		}
		out = appendL16(out[:0], samples)
		return out
	}
}

// toPCMU halves the rate, without what PCMU cannot carry.
func toPCMU() func([]byte) []byte {
	var (
		newest  [24]float32
		samples []int16
		out     []byte
	)
	return func(in []byte) []byte {
		samples = samplesOf(samples[:0], in)
		out = out[:0]
		for i := 1; i < len(samples); i += 2 {
			copy(newest[:], newest[2:])
			newest[22], newest[23] = float32(samples[i-1]), float32(samples[i])
			sum := newest[12]
			for k, h := range half {
				sum += h * (newest[11-2*k] + newest[13+2*k])
			}
			out = append(out, gateway.EncodePCMU(rounded(sum/2)))
		}
		return out
	}
}

func rounded(s float32) int16 {
	return int16(max(math.MinInt16, min(math.Round(float64(s)), math.MaxInt16)))
}
