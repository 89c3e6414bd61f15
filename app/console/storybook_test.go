package console

import (
	"strings"
	"testing"
	"time"

	"carillon/app/billing"
	"carillon/views"
)

type noPhones struct{ Waker }

// TestEveryPageHasASample: a new page gets one by name in the route table.
func TestEveryPageHasASample(t *testing.T) {
	t.Parallel()
	drawn := map[string]bool{}
	for _, s := range views.Samples(time.Now()) {
		drawn[s.Name] = true
	}
	k := &Console{Config: Config{Billing: new(billing.Billing), Dev: noPhones{}}}
	for _, r := range k.routes() {
		page := r.method == get && !r.part && !r.file && !strings.HasSuffix(r.path, ".csv") && !strings.HasPrefix(r.path, "/static/") &&
			!strings.HasPrefix(r.path, views.PathStorybook)
		switch {
		case !page && r.sample != "":
			t.Errorf("%s %s draws no page and has the sample %q", r.method, r.path, r.sample)
		case page && !drawn[r.sample]:
			t.Errorf("%s has the sample %q, which the storybook does not have", r.path, r.sample)
		}
	}
}
