// Package static holds the style sheets, scripts, icons and the font of Carillon's pages. They are
// embedded under names with a hash of their content, so a browser may cache them forever.
//
// It knows no HTTP. Start reading at Path and Open: Path gives the address to write into a page,
// Open the bytes for an address. The caller serves them with "Cache-Control: public,
// max-age=31536000, immutable" and "Vary: Accept-Encoding". Third-party files (Tabler, htmx,
// Instrument Sans) are listed in NOTICE and updated by vendor.mjs.
package static
