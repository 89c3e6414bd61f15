package tenants

import "time"

// DeliveryState says how far a delivery is.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting   DeliveryState = "waiting"   // an attempt is due or under way
	DeliveryDelivered DeliveryState = "delivered" // the receiver answered 200 to 299
	DeliveryFailed    DeliveryState = "failed"    // there will be no more attempts, unless it is replayed
)

// DeliveryStates lists the states.
var DeliveryStates = []DeliveryState{DeliveryWaiting, DeliveryDelivered, DeliveryFailed}

// Delivery is one event on its way to one connection.
type Delivery struct {
	Seq        int64 // order of record, within the database
	Event      string
	Connection ConnectionID
	Kind       EventKind
	Ring       RingID // empty = of no ring
	Body       []byte
	At         time.Time // when it happened
	BegunAt    time.Time // when it was recorded, or replayed
	DueAt      time.Time // the next attempt; zero = there will be none
	State      DeliveryState
	Tries      int    // since BegunAt
	Status     int    // HTTP's, of the last attempt; 0 = no answer
	Error      string // of the last attempt, a sentence; empty = it succeeded, or there was none
	EndedAt    time.Time
}

// DeliveryAttempt is one request to a connection.
type DeliveryAttempt struct {
	Seq    int64
	Event  string // of the delivery
	Kind   EventKind
	At     time.Time
	Took   time.Duration
	Status int
	Error  string // why it failed, a sentence; empty = it did not
	Good   bool
	Sent   map[string]string // headers; values that the tenant set are hidden
	Body   []byte            // of the request
	Answer string            // the first bytes, as text
}

// ConnectionFigures are how a connection did since some moment.
type ConnectionFigures struct {
	Attempts, Failed int64
	P50, P95         time.Duration // of the attempts that were answered; zero = there were none
	Waiting          int64         // deliveries, now; at most WaitingCounted are counted
	OldestWaiting    time.Time     // when the oldest of them happened
}

// ConnectionHour is how a connection did in one hour.
type ConnectionHour struct {
	At               time.Time // its beginning, in UTC
	Attempts, Failed int64
	P50, P95         time.Duration // of the attempts that were answered
}

// WaitingCounted is how many waiting deliveries are counted.
const WaitingCounted = 1000

const (
	// RetryFor is how long a delivery is tried.
	RetryFor = 3 * 24 * time.Hour
	// DeliveriesKept is how long deliveries and their attempts can be read and replayed.
	DeliveriesKept = 7 * 24 * time.Hour
	// DeliveriesMost is how many ended deliveries of one connection are kept: the newest.
	DeliveriesMost = 10_000
	// WaitingMost is how many deliveries of one connection may wait: with more, it is disabled.
	WaitingMost = 100_000
	// ReplayMost is how many deliveries one replay sends again.
	ReplayMost = 10_000
)

// retryPauses are the pauses after the first failures, and the last is that after all others.
var retryPauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	2 * time.Hour, 4 * time.Hour, 6 * time.Hour}

// RetryPause returns how long to wait after the failure number tries, 1 for the first. chance is
// from 0 to 1 and moves it by up to a fifth, so that receivers are not all tried at once.
func RetryPause(tries int, chance float64) time.Duration {
	pause := retryPauses[min(max(tries, 1), len(retryPauses))-1]
	return pause + time.Duration((chance-0.5)*0.4*float64(pause))
}
