// Package dev fills a machine that has nothing installed with all that Carillon needs: six tenants
// with credentials, agents and devices, an Apple inside this process, and phones that answer for
// themselves. Production never imports it.
//
// Start at Seed, which fills an empty store once and keeps what can be shown only once in dev.json
// beside the database.
package dev
