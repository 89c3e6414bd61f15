package views

import (
	"strings"

	"carillon/app/language"
)

// Field is one input with its label, its help and what is wrong with it.
type Field struct {
	Name         string
	Label        string
	Type         string // text when empty
	Value        string
	Help         string
	Error        string // cause and cure, shown under the field
	Placeholder  string
	Autocomplete string
	Pattern      string // checked by the browser before sending
	Max          int    // characters
	Optional     bool   // fields are required unless this is set
	NeededFor    string // kind of the chosen file, such as "p8", for which a script makes it required
	Focus        bool   // the first field of a form, or the first with an error
	Mono         bool   // an identifier
	Prefix       string // makes the id unique when a page has two forms with the same names
}

func (f Field) id() string { return "f-" + f.Prefix + f.Name }

func (f Field) kind() string {
	if f.Type == "" {
		return "text"
	}
	return f.Type
}

// described names the help and the error that belong to the field.
func (f Field) described() string {
	ids := ""
	if f.Help != "" {
		ids = f.id() + "-help"
	}
	if f.Error != "" {
		if ids != "" {
			ids += " "
		}
		ids += f.id() + "-error"
	}
	return ids
}

// Pick is a choice out of a list.
type Pick struct {
	Name    string
	Label   string
	Help    string
	Error   string
	Choices []Choice
	Prefix  string

	Required bool // the browser asks for a choice that is not empty
}

func (p Pick) field() Field {
	return Field{Name: p.Name, Label: p.Label, Help: p.Help, Error: p.Error, Prefix: p.Prefix}
}

// Tick is one check box.
type Tick struct {
	Name    string
	Value   string
	Label   string
	Help    string
	Checked bool
	Prefix  string
}

func (t Tick) id() string { return "f-" + t.Prefix + t.Name + "-" + t.Value }

// Confirm asks before something that cannot be undone. It is drawn in a dialog, and as a page
// without scripts.
type Confirm struct {
	ID          string   // of the dialog
	Title       string   // "Remove Ana's iPhone?"
	Consequence []string // what will happen, in numbers
	TypeName    string   // the name to type first; empty for small things
	Action      string   // where the form is posted; the typed name arrives as "confirm"
	Button      string   // "Remove device"
	Back        string   // where the way back leads
	Keep        string   // words of the way back; empty = "Cancel"
	Error       string   // the typed name did not match
}

// keep is the words of the way back.
func (c Confirm) keep() string {
	if c.Keep == "" {
		return "Cancel"
	}
	return c.Keep
}

// SameName tells whether a typed name is the one asked for. Spaces around it and the shape of
// quotes do not count: phones are called “Ana’s iPhone” and keyboards write Ana's. How an accent is
// written does not count either.
func SameName(typed, name string) bool {
	plain := strings.NewReplacer("‘", "'", "’", "'", "“", `"`, "”", `"`)
	same := func(s string) string { return language.Composed(plain.Replace(strings.TrimSpace(s))) }
	return same(typed) == same(name)
}

// Secret is shown once, right after it was made.
type Secret struct {
	Title string // "Your new API key"
	Text  string // the secret
	Note  string // what it is for, and that it is not shown again
	Next  string // where "Done" leads
	Rows  []Row  // what stays visible later: name, prefix, scopes

	CodeTitle, Code string // a program that uses it; empty = none
}
