package docs

import (
	"html"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// held stands for the placeholders while code is split into tokens: each is one word then, which no
// language splits.
var held = strings.NewReplacer(holdBundle, "hqbundleqh", holdDevice, "hqdeviceqh")
var unheld = strings.NewReplacer("hqbundleqh", holdBundle, "hqdeviceqh", holdDevice)

// coloured returns code as HTML, with its keywords, strings, numbers and comments in spans of
// classes. Code of a language that is not known, and plain text, has none.
func coloured(language, code string) string {
	lexer := lexers.Get(language)
	if lexer == nil {
		return html.EscapeString(code)
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, held.Replace(code))
	if err != nil {
		return html.EscapeString(code)
	}
	var b strings.Builder
	for _, t := range tokens.Tokens() {
		text := html.EscapeString(t.Value)
		if class := classOf(t.Type); class != "" && strings.TrimSpace(t.Value) != "" {
			text = `<span class="` + class + `">` + text + "</span>"
		}
		b.WriteString(text)
	}
	return unheld.Replace(strings.TrimRight(b.String(), "\n"))
}

// classOf is the class of a token: few colours, so that each means something.
func classOf(t chroma.TokenType) string {
	switch {
	case t.InCategory(chroma.Comment):
		return "code-comment"
	case t == chroma.KeywordConstant, t.InSubCategory(chroma.LiteralNumber):
		return "code-value"
	case t.InCategory(chroma.Keyword), t == chroma.NameTag, t == chroma.NameAttribute:
		return "code-word"
	case t.InSubCategory(chroma.LiteralString):
		return "code-string"
	}
	return ""
}
