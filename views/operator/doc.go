// Package operator draws the pages of the operator console: those of the person who hosts Carillon.
// It has the components and styles of package views, and a navigation of its own. It knows neither
// requests nor rows: each page is a struct of what it says.
//
// Start reading at layout.templ, then any page.
package operator
