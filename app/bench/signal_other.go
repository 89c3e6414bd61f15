//go:build !unix

package bench

import "errors"

var errNoSignals = errors.New("this system cannot stop a process and let it go on")

func pause(*child) error     { return errNoSignals }
func unpause(*child) error   { return errNoSignals }
func terminate(*child) error { return errNoSignals }
