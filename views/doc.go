// Package views draws Carillon's pages: templ components, and the plain structs they are drawn
// from.
//
// A page is a function of one struct of strings, numbers, booleans and slices. Views know no
// tenants, no store, no request and no clock: the caller decides what is true and in which words
// and time zone, and views decide how it looks. Addresses that pages link and post to are in
// paths.go and nowhere else. Start at shell.go (what surrounds every page), then storybook.templ
// and samples.go, which show every component.
package views
