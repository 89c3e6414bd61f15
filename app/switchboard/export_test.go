package switchboard

// Idle says whether no push is on its way and nothing is left to follow from one.
func (b *Board) Idle() bool {
	b.flying.mu.Lock()
	defer b.flying.mu.Unlock()
	return len(b.flying.attempts) == 0
}
