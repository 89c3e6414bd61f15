package tenants

import "time"

// SavedView is a search of a list under a name: its filters, order and columns.
type SavedView struct {
	ID        ViewID
	User      UserID // who saved it
	List      string // "rings"
	Name      string
	Query     string // of the list's address, without its page
	Shared    bool   // everybody of the tenant sees it
	CreatedAt time.Time
}

// Check refuses a view whose fields break a rule, naming every wrong one.
func (v SavedView) Check() error {
	var f faults
	f.add(ValidText(v.Name, 1, 60), "name", "1 to 60 characters, not blank, no control characters")
	f.add(ValidText(v.Query, 0, 1000), "query", "too long to be saved: leave out a filter")
	return f.err()
}

// ValidTag reports whether s can be a tag of a device: 1 to 40 characters without commas.
func ValidTag(s string) bool {
	for _, r := range s {
		if r == ',' || r == ';' {
			return false
		}
	}
	return ValidText(s, 1, 40) && TrimLabel(s) == s
}
