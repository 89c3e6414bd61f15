package views

// Addresses of what roles may do.
const (
	PathRoles   = "/people/roles"         // GET
	PathPreview = "/people/roles/preview" // POST role; empty = back to one's own
)
