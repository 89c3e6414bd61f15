package tenants

import "time"

// Operator is a person who runs the server. An operator belongs to no tenant and signs in on the
// operator's own address only.
type Operator struct {
	ID         OperatorID
	Email      string
	Name       string
	Password   string // argon2id in PHC form; empty until the link was used
	Ready      bool   // has a password, and an authenticator app or a passkey
	App        bool   // has an authenticator app
	Passkeys   int    // how many
	CreatedAt  time.Time
	DisabledAt time.Time
	SeenAt     time.Time // last sign-in; zero = none is kept
}

// Actor is the operator as who did something.
func (o Operator) Actor() Actor { return Actor{Kind: ActorOperator, ID: string(o.ID), Name: o.Name} }

// SuspendedWhyMost is the length of the reason for a suspension, in characters.
const SuspendedWhyMost = 300

// OperatorLinkTTL is how long the link works with which an operator chooses a password and a second
// step.
const OperatorLinkTTL = 24 * time.Hour
