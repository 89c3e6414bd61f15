//go:build race

package health_test

// crowded is how many devices make a crowd; the race detector makes the database ten times slower.
const crowded = 200
