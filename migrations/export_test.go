package migrations

// Provider applies steps one by one, for tests of a step over rows that were there before.
var Provider = provider
