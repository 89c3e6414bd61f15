package gateway

import "time"

// Constants of the E-model (ITU-T G.107) for a line without other faults than delay and loss.
const (
	ratingBest  = 93.2  // R of a line at its default settings (G.107 table 3)
	delayKnee   = 177.3 // ms, from where on delay disturbs a conversation
	lossRobust  = 25.1  // Bpl of G.711 with concealment at random loss (G.113 table I.4)
	processing  = 10 * time.Millisecond
	jitterQueue = 2 // a player waits for about twice the jitter
)

// MOS returns how a listener would rate sound with this share of packets lost, round trip and
// jitter, from 1 (bad) to 4.4 (the best that narrow-band sound reaches). It is the E-model of ITU-T
// G.107 in the reduced form of Cole and Rosenbluth, "Voice over IP performance monitoring" (2001):
// R = 93.2 - Id(delay) - Ie(loss). G.113 has no values for Opus: those of G.711 with concealment
// are used for every codec, because the phone's player conceals loss in all of them.
func MOS(loss float64, roundTrip, jitter time.Duration) float64 {
	delay := float64(roundTrip/2+jitterQueue*jitter+processing) / float64(time.Millisecond)
	r := ratingBest - 0.024*delay
	if delay > delayKnee {
		r -= 0.11 * (delay - delayKnee)
	}
	percent := 100 * min(max(loss, 0), 1)
	r -= 95 * percent / (percent + lossRobust)
	return rated(r)
}

// rated turns an R of the E-model into a MOS (G.107 Annex B).
func rated(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}
