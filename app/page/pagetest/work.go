package pagetest

import "sync"

// work is what was asked of the database while somebody looks.
type work struct {
	mu         sync.Mutex
	looking    bool
	statements []string
}

func (w *work) note(statement string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.looking {
		w.statements = append(w.statements, statement)
	}
}

// Work does something and gives the work that it took: how many passwords were hashed, and the text
// of each statement of the database, in order. Two answers that take the same work tell nobody by
// their time which one it was, and a busy machine changes nothing about it.
func (s *Server) Work(do func()) (hashes int64, statements []string) {
	s.work.mu.Lock()
	s.work.looking, s.work.statements = true, nil
	s.work.mu.Unlock()
	before := s.Common.Passwords.Hashed()
	do()
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	s.work.looking = false
	return s.Common.Passwords.Hashed() - before, s.work.statements
}
