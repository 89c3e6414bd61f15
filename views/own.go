package views

import (
	"strings"

	"github.com/a-h/templ"

	"carillon/tenants"
)

// ownWords marks what somebody wrote, such as the name of a device, so that no language changes it.
func ownWords(own bool) templ.Attributes {
	if !own {
		return nil
	}
	return templ.Attributes{"translate": "no"}
}

// named tells of a choice that is a name: of something with an id, or a value that is its own text,
// such as a tag.
func (c Choice) named() bool {
	return c.Value != "" && c.Value == c.Text || tenants.ValidID(c.Value)
}

// named tells of a box for something with an id.
func (t Tick) named() bool { return tenants.ValidID(t.Value) }

// named tells of a link to something with an id.
func (l Link) named() bool { return tenants.ValidID(l.Href[strings.LastIndexByte(l.Href, '/')+1:]) }
