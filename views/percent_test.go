package views

import "testing"

// TestASmallShareIsNotNothing: 1 ring of 504 is not "0 %", on the overview as in the funnel.
func TestASmallShareIsNotNothing(t *testing.T) {
	t.Parallel()
	if got := Percent(1, 504); got != "0.2 %" {
		t.Errorf("1 of 504 is %q", got)
	}
}
