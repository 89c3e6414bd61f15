package web

import "testing"

func TestLoopbackName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost:8080": true, "localhost.": true, "app.localhost:1": true, "127.0.0.1:8080": true,
		"127.8.9.10": true, "[::1]:8080": true, "[::1]": true, "::1": true, "[::ffff:127.0.0.1]:80": true,
		"": false, "evil.example": false, "localhost.evil.example": false, "127.0.0.1.evil.example:80": false, "0.0.0.0": false,
		"192.168.1.4:8080": false, "[fe80::1]:80": false, "notlocalhost": false,
	} {
		if got := LoopbackName(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}
