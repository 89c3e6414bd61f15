//go:build !race

package health_test

// crowded is how many devices make a crowd.
const crowded = 1000
