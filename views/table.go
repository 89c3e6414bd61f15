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
	Sorts    []Choice // the orders, for screens without columns
	Columns  map[string]Column
	CSV      string // address of the same view as a file
	Rows     int    // on this page
	Total    string // "1–50 of 2,913 rings", beside the file link
	Newer    string // address of the page before, empty on the first
	Older    string // address of the page after, empty on the last
	Newest   bool   // the list is in its own order, newest first
	Empty    Empty  // nothing there at all
	Filtered bool   // search or filters are set: emptiness says so instead
}

// Column is a column that the list can be sorted by, under its sort key.
type Column struct {
	Now  string // "ascending" or "descending" where the list is sorted by it
	Href string // what a click does; empty = nothing
}

// Filter is one list of choices kept in the address.
type Filter struct {
	Name    string
	Label   string
	Choices []Choice
}

// sortValue is the word for an order in the address; the list's own order has none.
func sortValue(i int, c Choice) string {
	if i == 0 {
		return ""
	}
	return c.Value
}

// Plain is a number for an attribute.
func Plain(n int) string { return strconv.Itoa(n) }
