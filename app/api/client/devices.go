package client

import (
	"context"
	"iter"
)

// Devices registers phones.
type Devices struct{ calls *Calls }

// Add registers a device. A known bundle ID, environment and token is the same device with a new
// credential; the old one works until the new one is first used.
func (d *Devices) Add(ctx context.Context, device DeviceRequest) (RegisteredDevice, error) {
	return read[RegisteredDevice](d.calls.AddDevice(ctx, device))
}

// Get reads a device.
func (d *Devices) Get(ctx context.Context, id string) (Device, error) {
	return read[Device](d.calls.ShowDevice(ctx, id))
}

// List reads one page of devices.
func (d *Devices) List(ctx context.Context, p ListDevicesParams) (Page[Device], error) {
	return read[Page[Device]](d.calls.ListDevices(ctx, &p))
}

// All iterates over the devices of every page.
func (d *Devices) All(ctx context.Context, p ListDevicesParams) iter.Seq2[Device, error] {
	return all(func(after *string) (Page[Device], error) {
		if after != nil {
			p.After = after
		}
		return d.List(ctx, p)
	})
}

// Change sets the fields that are not nil.
func (d *Devices) Change(ctx context.Context, id string, change DeviceChange) (Device, error) {
	return read[Device](d.calls.ChangeDevice(ctx, id, change))
}

// Remove removes a device; it no longer rings.
func (d *Devices) Remove(ctx context.Context, id string) error {
	return done(d.calls.RemoveDevice(ctx, id))
}

// Pairings makes codes with which phones register themselves.
type Pairings struct{ calls *Calls }

// Add makes a code for one phone and ten minutes. person may be empty.
func (p *Pairings) Add(ctx context.Context, person string) (Pairing, error) {
	body := AddPairingJSONRequestBody{}
	if person != "" {
		body.Person = &person
	}
	return read[Pairing](p.calls.AddPairing(ctx, body))
}
