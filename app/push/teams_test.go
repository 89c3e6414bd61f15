package push

import (
	"testing"
	"time"
)

// TestTeamsCountTheLastDay: answers of the last hour and day, by team, and no more teams than fit.
func TestTeamsCountTheLastDay(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s := &Sender{cfg: Config{Now: func() time.Time { return now }}}
	for _, c := range []struct {
		team   string
		status int
		ago    time.Duration
	}{{"A", 200, time.Minute}, {"A", 429, 2 * time.Hour}, {"A", 503, 25 * time.Hour}, {"B", 410, 0}, {"B", 0, 0}, {"B", 500, 0}} {
		s.teams.count(c.team, c.status, now.Add(-c.ago))
	}
	got := s.Teams()
	if len(got) != 2 || got[0].Team != "B" || got[0].Hour != (Answers{Refused: 1, Failed: 1, None: 1}) ||
		got[1].Hour != (Answers{Accepted: 1}) || got[1].Day != (Answers{Accepted: 1, Limited: 1}) {
		t.Errorf("%+v", got)
	}
	for i := range 2 * teamsMost {
		s.teams.count(time.Duration(i).String(), 200, now)
	}
	if n := len(s.Teams()); n > teamsMost+1 {
		t.Errorf("%d teams are kept", n)
	}
}
