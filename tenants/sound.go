package tenants

import "time"

// Sound is a recording that a tenant uploaded.
type Sound struct {
	File   []byte        // Ogg Opus, as it was uploaded
	MuLaw  []byte        // the same, decoded: 8 kHz, one byte a sample
	Length time.Duration // at most two minutes
}
