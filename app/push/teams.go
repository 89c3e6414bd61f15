package push

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Answers counts pushes by Apple's last answer.
type Answers struct {
	Accepted int64 // 200
	Limited  int64 // 429: too many requests
	Refused  int64 // 4xx otherwise
	Failed   int64 // 5xx
	None     int64 // no answer in time
}

// Sum is how many pushes were counted.
func (a Answers) Sum() int64 { return a.Accepted + a.Limited + a.Refused + a.Failed + a.None }

func (a *Answers) count(status int) {
	switch {
	case status == 200:
		a.Accepted++
	case status == 429:
		a.Limited++
	case status >= 500:
		a.Failed++
	case status >= 400:
		a.Refused++
	default:
		a.None++
	}
}

func (a *Answers) add(b Answers) {
	a.Accepted += b.Accepted
	a.Limited += b.Limited
	a.Refused += b.Refused
	a.Failed += b.Failed
	a.None += b.None
}

// TeamAnswers are Apple's answers to the pushes of one developer team.
type TeamAnswers struct {
	Team      string // Apple's team id; empty = teams beyond teamsMost, and certificates that name none
	Hour, Day Answers
}

const (
	teamsMost = 200
	teamSlot  = 5 * time.Minute
	teamSlots = int64(24 * time.Hour / teamSlot)
	hourSlots = int64(time.Hour / teamSlot)
)

// teams counts the answers of the last 24 hours by team, in steps of five minutes.
type teams struct {
	mu  sync.Mutex // guards all
	all map[string]*[teamSlots]teamCount
}

type teamCount struct {
	slot int64 // which five minutes since 1970
	Answers
}

func (t *teams) count(team string, status int, now time.Time) {
	at := now.Unix() / int64(teamSlot.Seconds())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]*[teamSlots]teamCount{}
	}
	if t.all[team] == nil && len(t.all) >= teamsMost {
		team = ""
	}
	if t.all[team] == nil {
		t.all[team] = new([teamSlots]teamCount)
	}
	c := &t.all[team][at%teamSlots]
	if c.slot != at {
		*c = teamCount{slot: at}
	}
	c.Answers.count(status)
}

// Teams are Apple's answers to the pushes of this process since its start, at most of the last 24
// hours, by team; those with most errors in the last hour first. Teams without a push are left out.
func (s *Sender) Teams() []TeamAnswers {
	now := s.cfg.Now().Unix() / int64(teamSlot.Seconds())
	s.teams.mu.Lock()
	defer s.teams.mu.Unlock()
	var out []TeamAnswers
	for name, slots := range s.teams.all {
		t := TeamAnswers{Team: name}
		for _, c := range slots {
			if c.slot > now-teamSlots {
				t.Day.add(c.Answers)
			}
			if c.slot > now-hourSlots {
				t.Hour.add(c.Answers)
			}
		}
		if t.Day.Sum() > 0 {
			out = append(out, t)
		}
	}
	errors := func(a Answers) int64 { return a.Sum() - a.Accepted }
	slices.SortFunc(out, func(a, b TeamAnswers) int {
		return cmp.Or(cmp.Compare(errors(b.Hour), errors(a.Hour)), cmp.Compare(errors(b.Day), errors(a.Day)), cmp.Compare(a.Team, b.Team))
	})
	return out
}

// team is Apple's id of the developer team: of a key as it was given, of a certificate as its
// subject has it.
func (k *Key) team() string {
	if k.id.team != "" || k.cert == nil || k.cert.Leaf == nil || len(k.cert.Leaf.Subject.OrganizationalUnit) == 0 {
		return k.id.team
	}
	return k.cert.Leaf.Subject.OrganizationalUnit[0]
}
