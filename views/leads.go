package views

import "context"

type opensKey struct{}

// Opening gives the pages drawn with ctx the rule which addresses their reader may open. Links to
// others are drawn as plain text, or not at all. Without a rule every address may be opened.
func Opening(ctx context.Context, may func(href string) bool) context.Context {
	return context.WithValue(ctx, opensKey{}, may)
}

// leads reports whether there is an address, and the reader of the page may open it.
func leads(ctx context.Context, href string) bool {
	may, ok := ctx.Value(opensKey{}).(func(string) bool)
	return href != "" && (!ok || may(href))
}

// opened are the entries that the reader of the page may open.
func (g navGroup) opened(ctx context.Context) []navEntry {
	var all []navEntry
	for _, e := range g.entries {
		if leads(ctx, e.path) {
			all = append(all, e)
		}
	}
	return all
}
