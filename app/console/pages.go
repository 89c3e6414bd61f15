package console

import (
	"strings"
)

// Pages lists the addresses of the console's pages, in the order of the route table: each as it is,
// and with the queries that show it in another way. ids names one thing of each kind by the first
// word of its path ("rings", "devices"), and under "events" an event of its connection; a page of a
// kind that ids lacks is left out.
//
// Whatever walks over all pages takes them from here, so that a new page is in every list: tests,
// the benchmark of pages and the pictures of the browser tests.
func Pages(ids map[string]string) []string {
	var all []string
	for _, r := range (&Console{}).routes() {
		if r.method != get || r.member == nil || r.part || r.file || r.rare || strings.HasSuffix(r.path, ".csv") {
			continue
		}
		kind, _, _ := strings.Cut(r.path[1:], "/")
		if strings.Contains(r.path, ":") && ids[kind] == "" {
			continue
		}
		if strings.Contains(r.path, ":event") && ids["events"] == "" {
			continue
		}
		path := strings.NewReplacer(":id", ids[kind], ":event", ids["events"]).Replace(r.path)
		all = append(all, path)
		for _, q := range r.samples {
			all = append(all, path+q)
		}
	}
	return all
}

// Files lists the addresses of the lists as CSV.
func Files() []string {
	var all []string
	for _, r := range (&Console{}).routes() {
		if strings.HasSuffix(r.path, ".csv") && !r.file {
			all = append(all, r.path)
		}
	}
	return all
}
