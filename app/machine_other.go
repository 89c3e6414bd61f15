//go:build !linux

package app

import "carillon/app/billing"

// machine looks at nothing here: limits and disks are asked for in another way on each system.
func (d *doctorCmd) machine() []billing.Finding { return nil }
