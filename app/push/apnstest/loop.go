package apnstest

import (
	"context"
	"errors"

	"github.com/sideshow/apns2"
)

// Loop returns a function that sends one VoIP push with the plain client, for packages that do not
// know apns2. An error is Apple's reason, or an error of the transport.
func Loop(c *apns2.Client) func(ctx context.Context, token, topic string, payload []byte) error {
	return func(ctx context.Context, token, topic string, payload []byte) error {
		a, err := c.PushWithContext(ctx, &apns2.Notification{
			DeviceToken: token, Topic: topic, PushType: apns2.PushTypeVOIP, Priority: apns2.PriorityHigh, Payload: payload,
		})
		if err == nil && a.StatusCode != apns2.StatusSent {
			err = errors.New(a.Reason)
		}
		return err
	}
}
