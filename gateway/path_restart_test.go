package gateway

import (
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// TestRestartOpensTheNominationsAgain: after a restart of ICE a browser may nominate several paths
// at once again, and Pion chooses among them.
func TestRestartOpensTheNominationsAgain(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	p := &path{now: func() time.Time { return at }}
	follows := func(names string, pair *ice.CandidatePair) bool {
		t.Helper()
		m, err := stun.Build(stun.BindingRequest, stun.NewUsername(names), ice.UseCandidate())
		if err != nil {
			t.Fatal(err)
		}
		return p.follow(m, nil, nil, pair)
	}
	answered := func() *ice.CandidatePair {
		pair := new(ice.CandidatePair)
		pair.UpdateRoundTripTime(0)
		return pair
	}
	one, other := answered(), answered()
	for _, step := range []struct {
		what, names string
		pair        *ice.CandidatePair
		after       time.Duration
		want        bool
	}{
		{"at first", "us:phone", one, 0, false},
		{"another at first", "us:phone", other, nominating - 1, false},
		{"another, later", "us:phone", other, 1, true},
		{"the same again", "us:phone", other, nominating, false},
		{"one that has answered nothing", "us:phone", new(ice.CandidatePair), 0, false},
		{"after a restart", "us2:phone2", one, 0, false},
		{"another after a restart", "us2:phone2", other, nominating - 1, false},
		{"the same as before the restart, later", "us2:phone2", other, 1, true},
	} {
		at = at.Add(step.after)
		if got := follows(step.names, step.pair); got != step.want {
			t.Errorf("%s: %v", step.what, got)
		}
	}
}
