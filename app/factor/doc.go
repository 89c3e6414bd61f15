// Package factor checks what people prove themselves with beside a password: codes of an
// authenticator app, recovery codes and passkeys. It knows neither pages nor tenants and keeps
// nothing, so that the console of tenants and the one of the operator share it.
//
// Start reading at code.go, then passkey.go.
package factor
