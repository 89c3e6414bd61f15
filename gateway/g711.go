package gateway

// PCMU and PCMA are ITU-T G.711: a sign, three bits of a segment and four bits within the segment.
// Samples are 16 bits wide here; the 14 bits of μ-law and 13 of A-law are their upper ones.

// muLawBias is added to the size of a sample, so that each segment begins at a power of two.
const muLawBias = 33 << 2

// DecodePCMU returns the sample of a byte of PCMU.
func DecodePCMU(b byte) int16 {
	b = ^b
	size := (int16(b&0x0f)<<3+muLawBias)<<(b>>4&7) - muLawBias
	if b&0x80 != 0 {
		return -size
	}
	return size
}

// EncodePCMU returns the byte of PCMU for a sample. Samples beyond ±32635 are clipped.
func EncodePCMU(sample int16) byte {
	sign, size := byte(0), int(sample)
	if size < 0 {
		sign, size = 0x80, -size
	}
	size = min(size, 32635) + muLawBias
	segment := byte(0)
	for s := size >> 8; s > 0; s >>= 1 {
		segment++
	}
	return ^(sign | segment<<4 | byte(size>>(segment+3))&0x0f)
}

// DecodePCMA returns the sample of a byte of PCMA.
func DecodePCMA(b byte) int16 {
	b ^= 0x55
	size, segment := int16(b&0x0f)<<4+8, b>>4&7
	if segment > 0 {
		size = (size + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		return -size
	}
	return size
}

// EncodePCMA returns the byte of PCMA for a sample.
func EncodePCMA(sample int16) byte {
	sign, size := byte(0x80), int(sample)
	if size < 0 {
		sign, size = 0, -size-1
	}
	segment := byte(0)
	for s := size >> 8; s > 0; s >>= 1 {
		segment++
	}
	return (sign | segment<<4 | byte(size>>(max(segment, 1)+3))&0x0f) ^ 0x55
}

// ALawOf returns the frames of PCMU as PCMA.
func ALawOf(frames [][]byte) [][]byte {
	var table [256]byte
	for b := range table {
		table[b] = EncodePCMA(DecodePCMU(byte(b)))
	}
	converted := make([][]byte, len(frames))
	for i, frame := range frames {
		converted[i] = make([]byte, len(frame))
		for j, b := range frame {
			converted[i][j] = table[b]
		}
	}
	return converted
}
