// Package web is the edge where HTTP enters Carillon: one way to make a Fiber app, to read a request, to send a page, a stream
// or a refusal, and to serve and shut down.
//
// It knows nothing of rings, stores or pages. It guards what Fiber leaves open: strings that alias reused buffers (Param,
// Query, Header give copies), handlers that outlive a client (Deadline), half-sent pages (Page renders first), error texts that
// reach strangers (Problem is the one map from tenants.Kind to a status), and streams that hang a shutdown (SSE ends with it).
//
// No *fiber.Ctx may leave a handler, and no goroutine may see one. Start reading at edge.go, then problem.go.
package web
