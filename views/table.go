package views

import "strconv"

// Table is what stands around the rows of a list: search, filters, paging, and what to say when it
// is empty.
type Table struct {
	Name     string   // "Rings", for screen readers
	Action   string   // the list's own address, where search and filters go
	Query    string   // the search as typed
	Search   string   // label and placeholder of the search; no search box when empty
	Filters  []Filter // as lists beside the search
	CSV      string   // address of the same view as a file
	Rows     int      // on this page
	Total    string   // "128 rings today", beside the file link
	Newer    string   // address of the page before, empty on the first
	Older    string   // address of the page after, empty on the last
	Empty    Empty    // nothing there at all
	Filtered bool     // search or filters are set: emptiness says so instead
}

// Filter is one list of choices kept in the address.
type Filter struct {
	Name    string
	Label   string
	Choices []Choice
}

// Plain is a number for an attribute.
func Plain(n int) string { return strconv.Itoa(n) }
