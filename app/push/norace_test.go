//go:build !race

package push_test

// slack stretches limits of time a little, because test machines are shared; the figures themselves
// are the bench's.
const slack = 2
