package page

import "strings"

// BrowserOf says in words what a User-Agent header claims to be, so that a person can tell their
// sign-ins apart. Nothing is decided by it.
func BrowserOf(agent string) string {
	name := named(agent, "A browser", [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"},
		{"Safari/", "Safari"}, {"curl/", "curl"}})
	on := named(agent, "", [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"},
		{"Mac OS", "macOS"}, {"Linux", "Linux"}})
	if on == "" {
		return name
	}
	return name + " on " + on
}

func named(s, none string, all [][2]string) string {
	for _, a := range all {
		if strings.Contains(s, a[0]) {
			return a[1]
		}
	}
	return none
}
