package health

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"carillon/tenants"
)

const (
	testTitle    = "Test alert"
	testDetail   = "Somebody chose “Send test” on the page of alert targets. Nothing is wrong."
	noMail       = "This server sends no email. Ask its operator to set CARILLON_SMTP_URL."
	notPrepared  = "This server could not prepare the alert. Its operator finds the cause in its log."
	nobodyToMail = "No member has one of these roles. Choose other roles, or invite somebody."
)

// answerText says what a far end answered.
func answerText(status int, body []byte) string {
	text := "It answered " + strconv.Itoa(status)
	if name := http.StatusText(status); name != "" {
		text += " " + name
	}
	if said := printable(body); said != "" {
		text += ": " + said
	}
	switch {
	case status/100 == 2:
		return text + "."
	case status/100 == 3:
		return text + ". That is a redirect. Give the address it redirects to."
	case status == http.StatusNotFound || status == http.StatusGone:
		return text + ". The address is not in use any more. Add a target with the new one."
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return text + ". It does not let us in. Check the address, which holds its password."
	}
	return text + ". It must answer 200 to 299."
}

func notReached(cause string) string { return "It was not reached: " + cause + "." }

func mailedText(taken, people int) string {
	switch {
	case taken == people && people == 1:
		return "The mail server took the email to 1 person."
	case taken == people:
		return fmt.Sprintf("The mail server took the emails to %d people.", people)
	case taken == 0:
		return "The mail server took no email. The operator of this server finds the cause in its log."
	}
	return fmt.Sprintf("The mail server took the emails to %d of %d people.", taken, people)
}

// newsTitle is what happened in one line.
func newsTitle(n tenants.AlertNews) string {
	switch {
	case n.Test:
		return n.Title
	case n.State == "open":
		return "Alert: " + n.Title
	}
	return "Closed: " + n.Title
}

// newsMail is the mail about an alert.
func newsMail(n tenants.AlertNews, link string) (subject, text string) {
	text = "Hello,\n\n" + newsTitle(n) + ", at " + n.At.UTC().Format("2 January 2006, 15:04 UTC") + ".\n"
	if n.Detail != "" {
		text += n.Detail + "\n"
	}
	return "Carillon: " + newsTitle(n), text + "\nAll alerts: " + link + "\n"
}

// chat is the JSON of an incoming webhook of Slack (docs.slack.dev, "Sending messages using
// incoming webhooks"). Mattermost, Rocket.Chat and others take text too.
type chat struct {
	Text   string      `json:"text"`
	Blocks []chatBlock `json:"blocks"`
}

type chatBlock struct {
	Type string   `json:"type"`
	Text chatText `json:"text"`
}

type chatText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// chatEscape keeps a text from mentioning people or naming links (docs.slack.dev, "Formatting").
var chatEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// chatOf is the message about an alert. Its texts are plain, so that nothing in them is read as
// markup or mentions somebody.
func chatOf(n tenants.AlertNews, link string) chat {
	text := newsTitle(n)
	if n.Detail != "" {
		text += "\n" + n.Detail
	}
	return chat{Text: chatEscape.Replace(newsTitle(n)), Blocks: []chatBlock{
		{"section", chatText{"plain_text", text}},
		{"section", chatText{"plain_text", link}},
	}}
}
