// Package g722 encodes and decodes ITU-T G.722 at 64 kbit/s: sound at 16 kHz, one byte for two
// samples. It knows nothing of RTP or files.
//
// The sound is split into a lower and an upper band. Of each, only the difference from a prediction
// is sent, in six and in two bits. Names in capitals in comments are blocks of the recommendation.
// https://www.itu.int/rec/T-REC-G.722
package g722

// Encoder encodes one stream. NewEncoder makes one.
type Encoder struct {
	low, high band
	history   history
}

// NewEncoder returns an encoder at the start of a stream.
func NewEncoder() *Encoder {
	return &Encoder{low: band{step: firstStepLow}, high: band{step: firstStepHigh}}
}

// Encode appends one byte for each two samples. A last odd sample is left out.
func (e *Encoder) Encode(to []byte, samples []int16) []byte {
	for ; len(samples) > 1; samples = samples[2:] {
		odd, even := e.history.filter(int32(samples[0]), int32(samples[1])) // TXQMF
		low, high := (even+odd)>>14, (even-odd)>>14
		to = append(to, e.high.upper(high)<<6|e.low.lower(low))
	}
	return to
}

// Decoder decodes one stream. NewDecoder makes one.
type Decoder struct {
	low, high band
	history   history
}

// NewDecoder returns a decoder at the start of a stream.
func NewDecoder() *Decoder {
	return &Decoder{low: band{step: firstStepLow}, high: band{step: firstStepHigh}}
}

// Decode appends two samples for each byte. Every byte is valid.
func (d *Decoder) Decode(to []int16, encoded []byte) []int16 {
	for _, b := range encoded {
		six, two := b&0x3f, b>>6
		low := fifteen(d.low.predicted + (d.low.step*inverse6[six])>>15)
		high := fifteen(d.high.predicted + (d.high.step*inverse2[two])>>15)
		d.low.moveLower(six)
		d.high.moveUpper(two)
		second, first := d.history.filter(low+high, low-high) // RXQMF
		to = append(to, int16(saturate(first>>11)), int16(saturate(second>>11)))
	}
	return to
}

// history holds the newest 24 samples of a quadrature mirror filter, twice, so that the newest are
// always in one piece.
type history struct {
	samples [48]int32
	at      int // where the oldest of the 24 is
}

// mirror is the even half of the filter; the odd half is the same in reverse.
var mirror = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}

// filter takes in two samples and returns the sums over both halves of the filter.
func (h *history) filter(a, b int32) (first, second int32) {
	h.samples[h.at], h.samples[h.at+24] = a, a
	h.samples[h.at+1], h.samples[h.at+25] = b, b
	h.at = (h.at + 2) % 24
	newest := h.samples[h.at : h.at+24]
	for i, c := range &mirror {
		first += newest[2*i] * c
		second += newest[23-2*i] * c
	}
	return first, second
}

const (
	firstStepLow  = 32
	firstStepHigh = 8
)

// band is the predictor of one band, which encoder and decoder move alike.
type band struct {
	predicted int32    // the next sample (PREDIC)
	zeros     int32    // the part of it that comes from the differences (FILTEZ)
	step      int32    // size of the quantizer (DETL, DETH)
	log       int32    // its logarithm (NBL, NBH)
	d         [7]int32 // newest differences, the last one first
	b         [7]int32 // their factors, from 1 on
	r         [3]int32 // newest reconstructed samples
	a         [3]int32 // their factors, from 1 on
	p         [3]int32 // newest partly reconstructed samples
}

// lower returns the six bits for a sample (SUBTRA, QUANTL).
func (s *band) lower(sample int32) byte {
	difference := saturate(sample - s.predicted)
	size := difference
	if size < 0 {
		size = ^size
	}
	level := 0
	for level < len(decisions6) && size >= (decisions6[level]*s.step)>>12 {
		level++
	}
	six := code6(level, difference < 0)
	s.moveLower(six)
	return six
}

// code6 returns the bits of a level, 0 to 29. The two lowest levels below zero have the codes 63
// and 62, because 0 to 3 are not used; the others count down from 31, and above zero from 61.
func code6(level int, negative bool) byte {
	switch {
	case !negative:
		return byte(61 - level)
	case level < 2:
		return byte(63 - level)
	}
	return byte(33 - level)
}

// upper returns the two bits for a sample (SUBTRA, QUANTH).
func (s *band) upper(sample int32) (two byte) {
	difference := saturate(sample - s.predicted)
	size := difference
	if size < 0 {
		size = ^size
	}
	if size < (564*s.step)>>12 {
		two = 1
	}
	if difference >= 0 {
		two += 2
	}
	s.moveUpper(two)
	return two
}

// moveLower moves the predictor of the lower band on. It uses four of the six bits, so that a
// receiver of the modes with fewer bits moves the same way (INVQAL, LOGSCL, SCALEL).
func (s *band) moveLower(six byte) {
	four := six >> 2
	difference := (s.step * inverse4[four]) >> 15
	s.log = clampLog((s.log*127)>>7+steps4[four], 18432)
	s.step = exponent(s.log, 8)
	s.adapt(difference)
}

// moveUpper is the same for the upper band (INVQAH, LOGSCH, SCALEH).
func (s *band) moveUpper(two byte) {
	difference := (s.step * inverse2[two]) >> 15
	s.log = clampLog((s.log*127)>>7+steps2[two], 22528)
	s.step = exponent(s.log, 10)
	s.adapt(difference)
}

func clampLog(n, most int32) int32 { return max(0, min(n, most)) }

// exponent returns the step of a logarithm.
func exponent(log, scale int32) int32 {
	n := powers[log>>6&31]
	if shift := scale - log>>11; shift >= 0 {
		n >>= shift
	} else {
		n <<= -shift
	}
	return n << 2
}

// adapt takes in a difference: it moves the factors towards what would have predicted it, and
// predicts the next sample.
func (s *band) adapt(difference int32) {
	s.d[0] = difference
	s.r[0] = saturate(s.predicted + difference) // RECONS
	s.p[0] = saturate(s.zeros + difference)     // PARREC
	s.adaptPoles()
	s.adaptZeros()
	copy(s.p[1:], s.p[:2])
	copy(s.r[1:], s.r[:2])
	copy(s.d[1:], s.d[:6])
	poles := saturate(times(s.a[1], s.r[1]) + times(s.a[2], s.r[2])) // FILTEP
	s.zeros = 0
	for i := 6; i > 0; i-- {
		s.zeros += times(s.b[i], s.d[i])
	}
	s.zeros = saturate(s.zeros)
	s.predicted = saturate(poles + s.zeros)
}

// times returns the product of a factor and a sample, twice, as the recommendation rounds it.
func times(factor, sample int32) int32 { return (factor * saturate(sample+sample)) >> 15 }

// adaptPoles is UPPOL2 and UPPOL1.
func (s *band) adaptPoles() {
	second := saturate(s.a[1] << 2)
	if !opposite(s.p[0], s.p[1]) {
		second = min(-second, 32767)
	}
	second >>= 7
	if opposite(s.p[0], s.p[2]) {
		second -= 128
	} else {
		second += 128
	}
	second = clip(second+(s.a[2]*32512)>>15, 12288)
	first := (s.a[1] * 32640) >> 15
	if opposite(s.p[0], s.p[1]) {
		first -= 192
	} else {
		first += 192
	}
	s.a[1], s.a[2] = clip(saturate(first), saturate(15360-second)), second
}

// adaptZeros is UPZERO.
func (s *band) adaptZeros() {
	move := int32(128)
	if s.d[0] == 0 {
		move = 0
	}
	for i := 1; i < len(s.b); i++ {
		by := move
		if opposite(s.d[0], s.d[i]) {
			by = -move
		}
		s.b[i] = saturate((s.b[i]*32640)>>15 + by)
	}
}

// opposite reports whether two numbers have different signs; that of 0 is plus.
func opposite(a, b int32) bool { return a^b < 0 }

// saturate limits to 16 bits.
func saturate(n int32) int32 { return max(-32768, min(n, 32767)) }

// fifteen limits to 15 bits (LIMIT).
func fifteen(n int32) int32 { return max(-16384, min(n, 16383)) }

// clip limits to ±most.
func clip(n, most int32) int32 { return max(-most, min(n, most)) }
