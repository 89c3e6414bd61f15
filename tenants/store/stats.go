package store

import "time"

// Stats is what the writer did since Open.
type Stats struct {
	Commits int64         // groups written
	Writes  int64         // changes in them; by Commits, how many share one durable commit
	Queue   int           // changes that wait now
	Oldest  time.Duration // how long the oldest of them has waited
}

// Stats reads the counters, for metrics.
func (s *Store) Stats() Stats {
	waiting, oldest := s.w.queue.stats()
	return Stats{Commits: s.w.commits.Load(), Writes: s.w.writes.Load(), Queue: waiting, Oldest: oldest}
}
