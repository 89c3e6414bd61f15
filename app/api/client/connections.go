package client

import (
	"context"
	"iter"
)

// Connections keeps the systems of a tenant that Carillon sends events to.
type Connections struct{ calls *Calls }

// Add creates a connection. The Secret of the answer, for Verify, is shown only here.
func (c *Connections) Add(ctx context.Context, connection ConnectionRequest) (Connection, error) {
	return read[Connection](c.calls.AddConnection(ctx, connection))
}

// Get reads a connection with its figures of the last 24 hours.
func (c *Connections) Get(ctx context.Context, id string) (Connection, error) {
	return read[Connection](c.calls.ShowConnection(ctx, id))
}

// List reads one page of connections.
func (c *Connections) List(ctx context.Context, p ListConnectionsParams) (Page[Connection], error) {
	return read[Page[Connection]](c.calls.ListConnections(ctx, &p))
}

// All iterates over the connections of every page.
func (c *Connections) All(ctx context.Context, p ListConnectionsParams) iter.Seq2[Connection, error] {
	return all(func(after *string) (Page[Connection], error) {
		if after != nil {
			p.After = after
		}
		return c.List(ctx, p)
	})
}

// Change sets the fields that are not nil.
func (c *Connections) Change(ctx context.Context, id string, change ConnectionChange) (Connection, error) {
	return read[Connection](c.calls.ChangeConnection(ctx, id, change))
}

// Attempts reads one page of the requests that were sent to a connection.
func (c *Connections) Attempts(ctx context.Context, id string, p ListAttemptsParams) (Page[DeliveryAttempt], error) {
	return read[Page[DeliveryAttempt]](c.calls.ListAttempts(ctx, id, &p))
}

// AllAttempts iterates over the attempts of every page.
func (c *Connections) AllAttempts(ctx context.Context, id string, p ListAttemptsParams) iter.Seq2[DeliveryAttempt, error] {
	return all(func(after *string) (Page[DeliveryAttempt], error) {
		if after != nil {
			p.After = after
		}
		return c.Attempts(ctx, id, p)
	})
}

// Test sends an event at once, also to a connection that is paused, and gives the answer. Without
// an event it is the first that the connection takes.
func (c *Connections) Test(ctx context.Context, id string, event EventKind) (DeliveryAttempt, error) {
	body := TestConnectionJSONRequestBody{}
	if event != "" {
		body.Event = &event
	}
	return read[DeliveryAttempt](c.calls.TestConnection(ctx, id, body))
}

// Replay sends one event again, or all of a time, and says how many.
func (c *Connections) Replay(ctx context.Context, id string, what ReplayJSONRequestBody) (count int, err error) {
	answer, err := read[Replay202JSONResponseBody](c.calls.Replay(ctx, id, what))
	return answer.Count, err
}

// RotateSecret makes a new signing secret. The old one signs too for 24 hours.
func (c *Connections) RotateSecret(ctx context.Context, id string) (secret string, err error) {
	answer, err := read[RotateSecret200JSONResponseBody](c.calls.RotateSecret(ctx, id))
	return answer.Secret, err
}

// Remove removes a connection, and what waits for it.
func (c *Connections) Remove(ctx context.Context, id string) error {
	return done(c.calls.RemoveConnection(ctx, id))
}
