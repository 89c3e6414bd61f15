package migrations

// Provider applies steps one by one, for tests of a step over rows that were there before.
var Provider = provider

// RingsEnd is for a test that stops between two steps.
var RingsEnd = ringsEnd
