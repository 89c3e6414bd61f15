// Package app puts Carillon together: the command line, the configuration, the wiring by hand and
// the background loops. It holds no rules of its own.
//
// Start reading at run.go (the command line, one file per verb) and node.go (how a running server
// is wired, top to bottom). law_test.go holds the rules between packages, e2e_test.go the whole
// story.
package app
