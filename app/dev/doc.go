// Package dev makes a machine with nothing installed into a world where Carillon works: six tenants
// with credentials, agents and devices, an Apple inside this process, and phones that answer for
// themselves. Production never imports it.
//
// Start at Seed, which fills an empty store once and keeps what can be shown only once in dev.json
// beside the database.
package dev
