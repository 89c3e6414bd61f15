// Package web is the HTTP edge of Carillon: one way to make a Fiber app, read a request, send a
// page, a stream or a refusal, serve and shut down.
//
// It knows nothing of rings, the store or single pages. It guards against what Fiber leaves open:
// strings that share reused buffers (Param, Query and Header return copies), handlers that run on
// after a client has left (Deadline), half-sent pages (Page renders first), error texts that leak
// (Problem is the one map from tenants.Kind to a status), and streams that block a shutdown (SSE
// ends with it).
//
// No *fiber.Ctx may leave a handler, and no goroutine may use one. Start reading at edge.go, then
// problem.go.
package web
