package deploy

import "strings"

// Metric is one metric that Carillon offers.
type Metric struct {
	Name, Type string // Type is counter, gauge, histogram or summary
	Help       string
	Labels     []string
}

// without are gauges whose name says what they count, and what one of it is.
var without = map[string]string{
	"carillon_connections":        "connections",
	"carillon_room":               "1 or 0",
	"carillon_database_up":        "1 or 0",
	"carillon_nats_connected":     "1 or 0",
	"carillon_nodes":              "nodes",
	"carillon_node_programs":      "versions",
	"carillon_pipes":              "connections",
	"carillon_calls":              "calls",
	"carillon_call_mos":           "rating from 1 to 4.4",
	"carillon_apns_connections":   "connections",
	"carillon_apns_pools":         "credentials",
	"carillon_pushes_under_way":   "pushes",
	"carillon_store_queue":        "changes",
	"go_goroutines":               "goroutines",
	"go_threads":                  "threads",
	"go_info":                     "1",
	"go_gc_gogc_percent":          "percent",
	"go_sched_gomaxprocs_threads": "threads",
	"go_memstats_heap_objects":    "objects",
	"process_open_fds":            "descriptors",
	"process_max_fds":             "descriptors",
}

// Unit returns what the metric's value counts, from the end of its name; empty if nothing says it.
func (m Metric) Unit() string {
	for _, u := range [][2]string{{"_timestamp_seconds", "Unix time"}, {"_time_seconds", "Unix time"}, {"_seconds_total", "seconds"},
		{"_bytes_total", "bytes"}, {"_seconds", "seconds"}, {"_bytes", "bytes"}, {"_ratio", "share from 0 to 1"}, {"_total", "count"}} {
		if strings.HasSuffix(m.Name, u[0]) {
			return u[1]
		}
	}
	return without[m.Name]
}
