package web

import (
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"
)

// QR returns text as a QR code in SVG, with the quiet zone that readers need. It has no scripts and
// no styles, so it is allowed under a strict content policy.
func QR(text string) (string, error) {
	rows, err := QRDots(text, true)
	if err != nil {
		return "", err
	}
	var path strings.Builder
	for y, row := range rows {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	n := len(rows)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" `+
		`shape-rendering="crispEdges" role="img" aria-label="QR code">`+
		`<path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="%s"/></svg>`, n, n, n, n, path.String()), nil
}

// QRDots returns the code as rows of dots, true where dark, with or without the quiet zone, for
// pages that draw it themselves.
func QRDots(text string, quiet bool) ([][]bool, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, err
	}
	code.DisableBorder = !quiet
	return code.Bitmap(), nil
}
