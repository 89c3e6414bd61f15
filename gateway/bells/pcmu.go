//go:build ignore

// Pcmu turns samples of 16 bits at 8 kHz on standard input into PCMU on standard output, in whole
// frames of 20 ms.
package main

import (
	"encoding/binary"
	"io"
	"log"
	"os"

	"carillon/gateway"
)

func main() {
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	var out []byte
	for ; len(in) > 1; in = in[2:] {
		out = append(out, gateway.EncodePCMU(int16(binary.LittleEndian.Uint16(in))))
	}
	for frame := int(gateway.PCMU.FrameTicks()); len(out)%frame != 0; {
		out = append(out, gateway.EncodePCMU(0))
	}
	if _, err := os.Stdout.Write(out); err != nil {
		log.Fatal(err)
	}
}
