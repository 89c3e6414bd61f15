package push_test

import (
	"testing"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s := sender(t, a, nil)
	cert, _ := certificate(t, a, "com.example.clinic")
	good := key(t, a, team, kid, nil)
	sandboxKey := key(t, a, "SANDBOXKEY", kid, func(k *apnstest.Key) { k.Environments = []string{apnstest.Sandbox} })
	limitedKey := key(t, a, "LIMITEDKEY", kid, func(k *apnstest.Key) { k.Topics = []string{"com.other"} })
	for name, row := range map[string]struct {
		key                 *push.Key
		topic               string
		production, sandbox string // reason; empty = OK
	}{
		"good key":         {good, voipTopic, "", ""},
		"good certificate": {cert, voipTopic, "", ""},
		"another app":      {cert, "com.other.voip", "TopicDisallowed", "TopicDisallowed"},
		"sandbox key":      {sandboxKey, voipTopic, "BadEnvironmentKeyIdInToken", ""},
		"limited key":      {limitedKey, voipTopic, "TopicDisallowed", "TopicDisallowed"},
		"unknown key":      {key(t, nil, team, kid, nil), voipTopic, "InvalidProviderToken", "InvalidProviderToken"},
	} {
		for _, v := range s.Probe(t.Context(), row.key, row.topic) {
			want := map[string]string{push.Production: row.production, push.Sandbox: row.sandbox}[v.Environment]
			if v.OK != (want == "") || !v.OK && v.Reason != want || v.Err != nil || v.Cause == "" || (v.Cure == "") != v.OK {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
	waitUntil(t, "closed connections", func() bool {
		return a.OpenConnections(apnstest.Production)+a.OpenConnections(apnstest.Sandbox) == 0
	})
	if a.Total() != 0 {
		t.Error("a probe reached a phone")
	}
	checkRules(t, a)
	if v := s.Probe(t.Context(), good, "com.example.clinic"); v[0].OK || v[0].Err == nil || v[0].Cause == "" {
		t.Errorf("a bad topic: %+v", v)
	}
	a.Close()
	if v := s.Probe(t.Context(), good, voipTopic); v[0].OK || v[0].Err == nil || v[0].Cause == "" || v[0].Cure == "" {
		t.Errorf("nobody there: %+v", v)
	}
}
