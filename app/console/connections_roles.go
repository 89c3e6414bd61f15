package console

import (
	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// roleParts are the fields of a connection's role.
func roleParts(tenants.Connection, page.Wrong, tenants.Industry) []views.FormPart { return nil }

// readRole reads the fields of the connection's role.
func readRole(page.Form, *tenants.Connection) {}

// roleFields are the names that faults of a role's settings have.
var roleFields []string
