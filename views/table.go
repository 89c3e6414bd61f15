package views

import (
	"strconv"
	"strings"
)

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

	// What a person keeps of the list.
	List     string          // its name in addresses, "rings"; empty = nothing is kept
	Place    string          // the query of what is shown, without its page: "?state=missed", or empty
	Asked    string          // the columns that the address asks for
	Chosen   bool            // somebody chose the columns: a narrow screen leaves none out
	Hidden   map[string]bool // columns that are not shown, by key
	Choose   []Tick          // the columns to choose from
	Views    []SavedView
	MayShare bool // who looks may save views for everybody
	Bulk     *Bulk
	Dates    *Dates
}

// Dates are the days that a list is narrowed to, as 2026-11-24.
type Dates struct{ From, To string }

// Shows tells whether a column is drawn.
func (t Table) Shows(column string) bool { return !t.Hidden[column] }

// blank tells whether there is nothing to search, sort or keep: the list is empty, and no filter
// may hide rows.
func (t Table) blank() bool {
	return t.Rows == 0 && !t.Filtered && t.Query == "" && t.Older == "" && t.Newer == "" && len(t.Filters) == 0 && len(t.Views) == 0
}

// shown is how many of the columns are.
func (t Table) shown() int {
	n := 0
	for _, c := range t.Choose {
		if c.Checked {
			n++
		}
	}
	return n
}

// SavedView is a view in the menu of a list.
type SavedView struct {
	Name, Href string
	Shared     bool
	Current    bool
	Remove     string // where it is removed; empty = not by who looks
}

// Bulk is what can be done to the rows that are ticked.
type Bulk struct {
	Action string // GET asks; the ids are in its query
	Acts   []Act
	Field  *Field // a word that some of them need, such as a tag
}

// Act is one of them.
type Act struct {
	Do, Text string
	Icon     Icon
	Danger   bool
}

func (a Act) class() string {
	if a.Danger {
		return "btn btn-small btn-quiet btn-danger-quiet"
	}
	return "btn btn-small btn-quiet"
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

func joinWords(words []string) string { return strings.Join(words, ", ") }

// Plain is a number for an attribute.
func Plain(n int) string { return strconv.Itoa(n) }
