package tenants

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// LookupWithin bounds a look-up before a ring: connection, TLS and answer together.
const LookupWithin = 800 * time.Millisecond

// LookedUp is what a tenant's system said before a ring. Empty fields change nothing.
type LookedUp struct {
	Caller string // the label to show
	Person string // whom to ring
	Note   string // for the timeline: why nothing came of it; empty = it answered
}

// LookupQuestion is the data of a question before a ring.
type LookupQuestion struct {
	To        RingTo  `json:"to"`
	Agent     AgentID `json:"agent,omitempty"`
	Reference string  `json:"reference,omitempty"`
	Caller    string  `json:"caller,omitempty"` // left out where names are kept private
}

// EventRingLookup is the type of a question before a ring. It is no event: nobody can ask for it.
const EventRingLookup EventKind = "ring.lookup"

// ParseLookup reads the answer to a question: a JSON object with a caller, a person, both or none.
func ParseLookup(body []byte) (LookedUp, error) {
	var said struct {
		Caller *string `json:"caller"`
		Person *string `json:"person"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return LookedUp{}, errors.New("its answer is no JSON object with caller and person")
	}
	var l LookedUp
	if said.Caller != nil {
		if l.Caller = strings.TrimSpace(*said.Caller); !ValidText(l.Caller, 0, 64) {
			return LookedUp{}, errors.New("the caller that it gave is longer than 64 characters, or has control characters")
		}
	}
	if said.Person != nil {
		if l.Person = *said.Person; l.Person != "" && !ValidReference(l.Person) {
			return LookedUp{}, errors.New("the person that it gave is no reference of 1 to 64 letters, digits, '.', '_' and '-'")
		}
	}
	return l, nil
}
