// Package client is the Go client of Carillon's API: it places rings, follows them and manages what
// a tenant has. It imports nothing else of Carillon.
//
// Start with New. The types and Calls, the plain calls of every operation, are generated from
// app/api/openapi.yaml. The methods on top retry what is safe to repeat, read pages and follow
// rings. Errors of the server are *Problem, and answers that were cut off or cannot be read are
// *AnswerError.
package client

//go:generate go run generate.go python.go python_kinds.go
