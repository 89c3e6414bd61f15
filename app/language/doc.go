// Package language puts what people read into their language. It knows nothing of pages, people or
// tenants: it gets HTML, or a line of text, in English and gives it in another language.
//
// The English text is the key. A catalogue (es/*.json) has one entry for each block of text, such
// as a paragraph, a button or the head of a column. Elements within a block are numbered, so that
// another language may order its words otherwise:
//
//	"Ring <1>Ana</1> again."   an element with words
//	"Run <1/>."                an element that is kept as it is: code, keys, a moment
//
// What varies is a hole in braces. A second hole of the same kind ends in 2, a third in 3:
//
//	{n}     a number: 12, 1,204, 3.5
//	{text}  somebody's own words, kept as they are
//	{word}  words that the catalogue has too
//	{date}  a date, a time of day or both
//
// An element with the attribute translate="no", which HTML has for this, is kept as it is: names of
// people, devices and agents, tags, notes.
//
// What no entry matches stays in English. Start reading at catalogue.go, then page.go.
package language
