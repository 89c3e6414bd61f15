//go:build !race

package nodestest_test

// slack makes time limits longer where the race detector makes the nodes slow.
const slack = 1
