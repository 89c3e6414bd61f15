package agents

import (
	"context"
	"slices"

	"carillon/gateway"
)

// menu is the built-in program that proves keys: the keys 1 to 9 ring a bell as often as their
// number says, 0 rings the tune again, and # hangs up.
type menu struct{ *Builtin }

// strokeFrames are the frames of the tune up to its second stroke, 0.38 s after the first.
const strokeFrames = 19

// Converse plays the tune and then what the keys ask for, until # or the end of the line.
func (m menu) Converse(ctx context.Context, l gateway.Line) error {
	p := player{line: l, now: m.now, keys: make(chan byte, 16)}
	defer l.Attend(func(heard gateway.Packet) {
		if heard.Digit != 0 {
			p.press(heard.Digit)
		}
	})()
	if err := audible(ctx, l); err != nil {
		return err
	}
	all := m.bells[l.Codec()]
	stroke := all[:min(strokeFrames, len(all))]
	for next := (tune{packets: all}); ; {
		key, err := p.play(ctx, next, nil)
		if err == nil && key == 0 {
			key, err = p.wait(ctx, 0)
		}
		if err != nil {
			return err
		}
		next = tune{}
		switch {
		case key == '#':
			return nil
		case key == '0':
			next.packets = all
		case '1' <= key && key <= '9':
			next.packets = slices.Repeat(stroke, int(key-'0'))
		}
	}
}
