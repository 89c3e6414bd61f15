package views

import (
	"fmt"
	"strings"
)

// quiet is the white border a code needs, in dots (ISO 18004 asks for four).
const quiet = 4

// role makes bad news heard at once by screen readers.
func (c Callout) role() string {
	if c.Tone == ToneBad {
		return "alert"
	}
	return "note"
}

func qrBox(dots [][]bool) string {
	n := len(dots) + 2*quiet
	return fmt.Sprintf("0 0 %d %d", n, n)
}

// qrPath draws each run of dark dots as one bar.
func qrPath(dots [][]bool) string {
	var d strings.Builder
	for y, row := range dots {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			from := x
			for x < len(row) && row[x] {
				x++
			}
			fmt.Fprintf(&d, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
		}
	}
	return d.String()
}
