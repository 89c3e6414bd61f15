package store

import (
	"testing"

	"carillon/tenants"
)

// TestErasingNames: a word names the person only where it is a whole word, and an address only
// where they made the change themselves.
func TestErasingNames(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		word, text string
		want       bool
	}{
		{"anna", "Joanna", false}, {"anna", "anna-2", false}, {"anna", "anna@example.com", false}, {"anna", "by anna.", true},
		{"anna", "joanna, Anna", true}, {"anna", "é_anna", false}, {"ana@example.com", "wrote to Ana@example.com.", true},
		{"ana@example.com", "ana@example.com.tr", false}, {"al", "also", false}, {"al", "Al (old)", true}, {"é", "éé é", true},
		{"192.", "192.0.2.1", false}, {"", "anna", false},
	} {
		if got := (erasing{Words: []string{x.word}}).names(x.text); got != x.want {
			t.Errorf("%q names %q: %v", x.text, x.word, got)
		}
	}
	who := tenants.Actor{Kind: tenants.ActorUser, ID: "u1", Name: "Joanna"}
	a := tenants.Audit{Actor: who, Action: "key.add", Detail: "Joanna's", IP: "192.0.2.1"}
	if got := (erasing{Person: "192.0.2.1", Words: []string{"192.0.2.1"}}).naming(&a); len(got) != 0 {
		t.Errorf("a person with the reference of somebody's address: %v", got)
	}
	if got := (erasing{User: "u1"}).naming(&a); len(got) != 2 {
		t.Errorf("who did it: %v", got)
	}
}
