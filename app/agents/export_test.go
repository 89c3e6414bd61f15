package agents

import (
	"context"

	"carillon/gateway"
)

// Echo is the echo without the greeting and without forgetting.
func (b *Builtin) Echo(ctx context.Context, l gateway.Line) error { return b.repeat(ctx, l) }
