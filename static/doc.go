// Package static holds the style sheets, scripts, icons and the font of Carillon's pages, embedded
// in the binary under names that carry a hash of their content, so a browser may keep them for
// ever.
//
// It knows no HTTP. Start at Path and Open: Path gives the address to write into a page, Open gives
// the bytes for an address. The caller serves them with "Cache-Control: public, max-age=31536000,
// immutable" and "Vary: Accept-Encoding". Files that come from others (Tabler, htmx, Instrument
// Sans) are named in NOTICE and refreshed by vendor.mjs.
package static
