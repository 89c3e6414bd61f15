package language

import "strings"

var digits = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// exceptions begin the names of the days of a schedule that differ from its week.
var exceptions = []string{"Exception "}

var days = append([]string{"Email ", "Monday ", "Tuesday ", "Wednesday ", "Thursday ", "Friday ", "Saturday ", "Sunday "}, exceptions...)

// openings says how a text begins that a short key with a hole at its edge is for. Without it "Form
// at reception", which somebody wrote, would be taken for a target of alerts.
var openings = map[string][]string{
	"{text} at {text2}":                 {"Webhook ", "Slack-compatible "},
	"{text} and {word}":                 {"{"},
	"{text}, app {text2}":               {"iOS ", "iPadOS "},
	"{text}, and {text2}":               digits,
	"{text} of {n} {text2}":             digits,
	"{text} of {text2} {text3}":         digits,
	"{text} {text2} {text3} in {text4}": metrics,
	"{text}, withdrawn on {word}":       {"Given on "},
	"{text} date":                       exceptions,
	"{text} reason":                     exceptions,
	"{text} to":                         days,
	"{text} ms":                         digits,
}

// metrics are the titles that a rule of alerts begins with.
var metrics = []string{"Answer rate", "Missed rings", "Declined rings", "Failed rings", "Answered calls without a sound",
	"Pushes that Apple refused", "Rings that a phone showed", "Phones that failed for a reason", "Time for a step, 95th percentile",
	"Number of "}

// loose tells of a key that begins and ends with any text, with less than three words between.
func (p *pattern) loose() bool {
	n := len(p.parts)
	if n == 0 || p.parts[0].kind != textHole || p.parts[n-1].kind != textHole {
		return false
	}
	own := 0
	for _, one := range p.parts {
		for _, word := range strings.Fields(one.text) {
			if words(word) {
				own++
			}
		}
	}
	return own < 3
}
