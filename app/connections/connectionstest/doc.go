// Package connectionstest has strict stand-ins for the systems that connections speak to: a syslog
// receiver, a Messages API like Twilio's and a server of calendar feeds. They share no code with
// package connections.
package connectionstest
