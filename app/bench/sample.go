package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// sample is a set of durations.
type sample []time.Duration

// at is the p-th percentile in milliseconds, 0 < p <= 1; zero for an empty sample. The sample is
// sorted by it.
func (s sample) at(p float64) float64 {
	if len(s) == 0 {
		return 0
	}
	slices.Sort(s)
	i := min(int(p*float64(len(s))), len(s)-1)
	return ms(s[i])
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Machine says what was measured on: processor, cores, system.
func Machine() string {
	name := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "model name"); ok {
				name = strings.TrimSpace(strings.TrimLeft(rest, "\t :"))
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s, %s", name, runtime.NumCPU(), runtime.GOOS, runtime.Version())
}
