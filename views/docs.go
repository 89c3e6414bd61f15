package views

import "strings"

// DocPage is a page of the documentation. Package docs fills it, except Front.
type DocPage struct {
	Front    Front
	Slug     string // "webhooks", "api/rings"; empty = the search
	Group    string // of the menu
	Title    string
	Summary  string
	Menu     []DocGroup
	Headings []Link // on this page
	Prev     Link
	Next     Link

	Body       string // HTML that package docs made from our own Markdown: safe to draw
	Operations []DocOperation
	Objects    []DocObject
	Problems   []DocProblems

	Query  string
	Hits   []DocHit
	HasAll bool // each hit contains every word of the query
}

// DocGroup is a part of the menu.
type DocGroup struct {
	Title string
	Links []DocLink
}

// DocLink is an entry of the menu.
type DocLink struct {
	Link
	Current bool
}

// DocHit is a section that a search found.
type DocHit struct {
	Page  string // its page, unless the section is the page
	Title string
	Href  string
	Text  []DocPiece
}

// DocPiece is a part of a text, marked if it is what was searched for.
type DocPiece struct {
	Text string
	Hit  bool
}

// DocOperation is one operation of the API.
type DocOperation struct {
	ID      string // its anchor too
	Method  string
	Path    string
	Summary string
	Text    string // HTML, as Body
	Auth    string // what the request is signed with, in words
	Scope   string // that a key needs; empty = none, or it takes no key
	Params  []DocField
	Body    DocBody
	Answers []DocAnswer
	Try     bool // the page can send it
}

// DocBody is what a request carries.
type DocBody struct {
	Type     string // media type; empty = no body
	Fields   []DocField
	Text     string // HTML
	Examples []DocExample
}

// DocExample is a body with a name. Marked is its text as HTML with colours; empty = none.
type DocExample struct{ Name, Text, Marked string }

// DocField is a parameter, a header or a field of a body.
type DocField struct {
	Name     string // with the names of its parents: "to.device"
	In       string // "path", "query", "header" of a parameter
	Type     string
	Object   string // the object that the type names; it has a section
	Required bool
	Text     string // HTML
	Example  string
}

// DocAnswer is what an operation answers with a status.
type DocAnswer struct {
	Status  string
	Text    string // HTML
	Type    string
	Object  string
	Headers []DocField
	Fields  []DocField
	Example DocExample
}

// DocObject is an object that operations answer.
type DocObject struct {
	Name    string
	Text    string // HTML
	Fields  []DocField
	Example DocExample
}

// DocProblems is a part of the page of errors.
type DocProblems struct {
	ID, Title string
	List      []DocProblem
}

// DocProblem is one code of an error.
type DocProblem struct {
	Code   string // its anchor too
	Status string
	Cause  string // HTML, as DocPage.Body
	Cure   string // HTML
}

// param is the id of the form field of a parameter.
func (o DocOperation) param(f DocField) string { return o.ID + "-" + f.In + "-" + f.Name }

// tone is the colour of a method.
func (o DocOperation) tone() Tone {
	switch o.Method {
	case "GET":
		return ToneInfo
	case "DELETE":
		return ToneBad
	case "POST":
		return ToneGood
	}
	return ToneWarn
}

// example is what the form of an operation starts with.
func (o DocOperation) example() string {
	if len(o.Body.Examples) == 0 {
		return ""
	}
	return o.Body.Examples[0].Text
}

// tone is the colour of a status.
func (a DocAnswer) tone() Tone {
	if strings.HasPrefix(a.Status, "2") {
		return ToneGood
	}
	return ToneNeutral
}

// searched tells whether the page is that of the search.
func (p DocPage) searched() bool { return p.Slug == "" }

// script is what the page runs beside the site's own.
func (p DocPage) script() string {
	if len(p.Operations) > 0 {
		return "docs.js"
	}
	return ""
}
