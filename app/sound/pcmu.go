package sound

import (
	"time"

	"github.com/pion/opus"

	"carillon/gateway"
)

// PCMU decodes the sound for phones and agents that have no Opus: mu-law at 8 kHz, one byte a
// sample, in whole frames of 20 ms. It takes about a second for two minutes, so it is done once, at
// the upload. The error is a *Bad.
func (s *Sound) PCMU() (mulaw []byte, err error) {
	defer func() {
		// The decoder is young, and the file is a stranger's.
		if recover() != nil {
			mulaw, err = nil, errUndecodable
		}
	}()
	decoder, err := opus.NewDecoderWithOutput(8000, s.Channels)
	if err != nil {
		return nil, errUndecodable
	}
	samples := make([]int16, s.Channels*int(120*time.Millisecond*8000/time.Second))
	for _, p := range s.Packets {
		n, err := decoder.DecodeToInt16(p.Data, samples)
		if err != nil {
			return nil, errUndecodable
		}
		for i := range n {
			sample := int32(samples[i*s.Channels])
			if s.Channels == 2 {
				sample = (sample + int32(samples[2*i+1])) / 2
			}
			mulaw = append(mulaw, gateway.EncodePCMU(int16(sample)))
		}
	}
	for len(mulaw)%int(gateway.PCMU.FrameTicks()) != 0 {
		mulaw = append(mulaw, gateway.EncodePCMU(0))
	}
	return mulaw, nil
}

var errUndecodable = bad("The sound in the file cannot be decoded: it is damaged. %s", cure)
