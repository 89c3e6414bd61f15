package client

import "context"

// Analytics counts rings.
type Analytics struct{ calls *Calls }

// Funnel is how many rings reach each step, and how fast.
func (a *Analytics) Funnel(ctx context.Context, p FunnelParams) (Funnel, error) {
	return read[Funnel](a.calls.Funnel(ctx, &p))
}

// Outcomes is why phones showed no call, and how late pushes arrived.
func (a *Analytics) Outcomes(ctx context.Context, p OutcomesParams) (Outcomes, error) {
	return read[Outcomes](a.calls.Outcomes(ctx, &p))
}

// CallKit is which phones and app versions no longer wake.
func (a *Analytics) CallKit(ctx context.Context) (CallKit, error) {
	return read[CallKit](a.calls.Callkit(ctx))
}
