package gateway

import _ "embed" // for the recordings

//go:generate sh -c "cd bells && go run tone.go > tone.wav"
//go:generate -command encode opusenc --quiet --bitrate 32 --framesize 20 --max-delay 20
//go:generate encode --padding 0 --discard-comments bells/tone.wav tone.ogg
//go:generate rm bells/tone.wav
//go:generate sh -c "opusdec --quiet --rate 8000 tone.ogg - | go run bells/pcmu.go > tone.pcmu"
//go:generate -command say flite -voice slt --setf duration_stretch=1.05 -o sorry.wav -t
//go:generate say "Sorry, nobody can take this call right now. Please try again later. Goodbye."
//go:generate encode --padding 0 --discard-comments sorry.wav sorry.ogg
//go:generate rm sorry.wav
//go:generate sh -c "opusdec --quiet --rate 8000 sorry.ogg - | go run bells/pcmu.go > sorry.pcmu"

// toneOgg is a soft double tone and a pause, made by bells/tone.go: one 20 ms Opus packet in a
// page.
//
//go:embed tone.ogg
var toneOgg []byte

//go:embed tone.pcmu
var tonePCMU []byte

// sorryOgg says that nobody can take the call.
//
//go:embed sorry.ogg
var sorryOgg []byte

//go:embed sorry.pcmu
var sorryPCMU []byte

// Tone returns what a person hears again and again while the call waits for somebody, as 20 ms
// packets of the codec, or nothing for G722. As with Bells, callers keep the result.
func Tone(c Codec) ([][]byte, error) { return readRecording("tone", c, toneOgg, tonePCMU) }

// Sorry returns the sentence that says that nobody can take the call, as Tone does.
func Sorry(c Codec) ([][]byte, error) { return readRecording("sorry", c, sorryOgg, sorryPCMU) }
