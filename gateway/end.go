package gateway

import "time"

// EndReason is why a call ended, from a closed list. Every call ends with exactly one.
type EndReason string

const (
	PhoneHungUp    EndReason = "phone_hung_up"
	AgentHungUp    EndReason = "agent_hung_up"
	AgentFailed    EndReason = "agent_failed"
	Cancelled      EndReason = "cancelled"
	ConnectTimeout EndReason = "connect_timeout"
	NoMedia        EndReason = "no_media"
	Silence        EndReason = "silence"
	MaxDuration    EndReason = "max_duration"
	MediaFailed    EndReason = "media_failed"
	Draining       EndReason = "draining"
	ShutDown       EndReason = "shut_down"
)

var endSentences = map[EndReason]string{
	PhoneHungUp: "The person hung up.",
	AgentHungUp: "The agent said what it had to say and hung up.",
	AgentFailed: "The agent stopped because of an error.",
	Cancelled:   "The caller cancelled the call.",
	ConnectTimeout: "The phone answered but no sound came through: a firewall or a lost network is the usual cause. " +
		"Try the phone on another network.",
	NoMedia: "The phone connected but never sent any sound; its audio session was not started, " +
		"or the app may not use the microphone.",
	Silence:     "The phone stopped sending sound for too long.",
	MaxDuration: "The call reached its longest allowed duration.",
	MediaFailed: "The connection to the phone was lost and did not come back.",
	Draining:    "This server is being restarted, and the call lasted longer than it could wait.",
	ShutDown:    "This server was shut down during the call.",
}

// Sentence says the reason in words for a person.
func (r EndReason) Sentence() string { return endSentences[r] }

// EndReasons returns the whole list, in no order.
func EndReasons() []EndReason {
	all := make([]EndReason, 0, len(endSentences))
	for r := range endSentences {
		all = append(all, r)
	}
	return all
}

// EventKind is what happened to a call.
type EventKind string

const (
	// Connected: encryption is established and the phone's first sound arrived. The agent may have
	// started to speak before, when that sound was late. At most once per call, and never if the
	// phone sends no sound.
	Connected EventKind = "connected"
	// OneWay: one side was silent for OneWayAfter while the other talked. The phone is silent when
	// it sends nothing although it is connected, since a phone with an open microphone always
	// sends. The agent is silent when it has sent nothing since it started: later it may listen for
	// as long as it likes. At most once per side; it may come before Connected.
	OneWay EventKind = "one_way"
	// Sampled: how the call sounded in the last SampleEvery, from when the phone has connected. The
	// last one comes before Ended.
	Sampled EventKind = "sampled"
	// Ended: the call is over and its leg is closed. Exactly once per call.
	Ended EventKind = "ended"
)

// Side is one end of a call.
type Side string

// The two sides.
const (
	PhoneSide Side = "phone"
	AgentSide Side = "agent"
)

// Event is passed to Offer.On.
type Event struct {
	Kind    EventKind
	Reason  EndReason // of Ended
	Silent  Side      // of OneWay
	Sample  Sample    // of Sampled
	Err     error     // of an end by AgentFailed: what the agent returned
	At      time.Time
	Quality Quality
}

// Quality is the measured media quality of a call. In is phone to gateway, Out is gateway to phone;
// loss and jitter of Out are what the phone reported over RTCP.
type Quality struct {
	FirstIn, FirstOut   time.Time     // first sound each way; zero when there was none
	FirstAgent          time.Time     // first sound that is the agent's own, and not the server's
	LastIn              time.Time     // last sound of the phone
	PacketsIn           uint64        // RTP packets
	PacketsOut          uint64        //
	BytesIn, BytesOut   uint64        // of sound
	LostIn, LostOut     uint64        // packets that never came (RFC 3550 A.3)
	JitterIn, JitterOut time.Duration // interarrival jitter (RFC 3550 A.8)
	RoundTrip           time.Duration // last measured by RTCP; 0 when never
	Reports             uint64        // how often the phone reported
	Legs                int           // how often the phone (re)joined
}
