package language

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"sync"
)

//go:embed scripts/es.json
var spanishScripts []byte

// scripts is the element with what the scripts of static say, as data that no browser runs.
var scripts = sync.OnceValue(func() []byte {
	var words map[string]string
	if err := json.Unmarshal(spanishScripts, &words); err != nil {
		panic(err) // a test reads the file
	}
	text, err := json.Marshal(words) // escapes <, so that no word can end the element
	if err != nil {
		panic(err)
	}
	return append(append([]byte(`<script type="application/json" id="words">`), text...), "</script>"...)
})

// WithScripts adds the words of the scripts to a whole page. A part of a page needs none: the page
// that takes it has them.
func (c *Catalogue) WithScripts(page []byte) []byte {
	end := []byte("</body>")
	i := bytes.LastIndex(page, end)
	if i < 0 {
		return page
	}
	out := make([]byte, 0, len(page)+len(scripts()))
	out = append(out, page[:i]...)
	out = append(out, scripts()...)
	return append(out, page[i:]...)
}
