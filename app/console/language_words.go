package console

import (
	"carillon/app/language"
	"carillon/views"
)

// languagePick chooses the language of pages.
func languagePick(chosen, fault string) views.Pick {
	all := []views.Choice{{Text: "As the browser asks", Selected: chosen == ""}}
	for _, l := range language.Languages {
		all = append(all, views.Choice{Value: l.Tag, Text: l.Name, Selected: chosen == l.Tag})
	}
	return views.Pick{Name: "language", Label: "Language", Choices: all, Error: fault}
}
