//go:build race

package push_test

// slack stretches limits of time where the race detector slows everything down.
const slack = 8
