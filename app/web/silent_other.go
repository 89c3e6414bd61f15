//go:build !linux

package web

import "net"

func boundSilence(net.Conn) {}
