//go:build !race

package push_test

// slack leaves the limits of time as they are.
const slack = 1
