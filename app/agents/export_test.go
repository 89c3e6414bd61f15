package agents

import (
	"context"

	"carillon/gateway"
)

// Echo is the echo without the greeting.
func (b *Builtin) Echo(ctx context.Context, l gateway.Line) error { return b.repeat(ctx, l) }
