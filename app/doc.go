// Package app puts Carillon together: the command line, the configuration, the wiring by hand and the background loops. It holds
// no rules of its own.
//
// Where to start: run.go is the command line, one file per verb; node.go wires a running server and is read top to bottom;
// law_test.go is the plan of the house, e2e_test.go its story.
package app
