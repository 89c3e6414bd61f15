// Package bench measures Carillon as its users meet it: the built binary in a process of its own,
// through real sockets, against the simulators, beside the bare library doing the same in the same
// run. Figures that are compared are taken in turns, so that a machine that grows slower or faster
// does so for both.
//
// Start at Rings.
package bench
