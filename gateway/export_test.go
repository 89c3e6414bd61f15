package gateway

import (
	"sync/atomic"

	"github.com/pion/webrtc/v4"
)

// CountChannels counts the far end's channels that Pion accepts. Call it before Accept.
func (p *Peer) CountChannels() *atomic.Int64 {
	n := new(atomic.Int64)
	p.leg.pc.OnDataChannel(func(d *webrtc.DataChannel) {
		n.Add(1)
		p.refuseChannel(d)
	})
	return n
}
