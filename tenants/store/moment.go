package store

import "time"

// micros is a time as it is stored: Unix microseconds, 0 for never.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is a stored time in UTC; 0 is the zero time.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// stored is t as it will be read back, so that what a caller holds equals what the database has.
func stored(t time.Time) time.Time { return moment(micros(t)) }

// span is a length of time as it is stored: microseconds.
func span(d time.Duration) int64 { return d.Microseconds() }

func length(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
