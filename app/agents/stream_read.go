package agents

import (
	"context"
	"time"

	"carillon/app/agents/dialect"
)

// watch pings the agent, and cuts a connection whose server does not read or does not answer pings.
func (s *stream) watch(open context.Context, cut context.CancelCauseFunc) {
	look := time.NewTicker(writeWithin / 5)
	defer look.Stop()
	last := s.streams.now()
	for {
		select {
		case <-open.Done():
			return
		case <-look.C:
		}
		now := s.streams.now()
		if began := s.writing.Load(); began != 0 && now.Sub(time.Unix(0, began)) > writeWithin {
			cut(&Failure{Cause: errNotReading.Error()})
			return
		}
		if now.Sub(last) < pingEvery {
			continue
		}
		last = now
		ctx, cancel := context.WithTimeout(open, writeWithin)
		err := s.conn.conn.Ping(ctx)
		s.roundTrip.Store(int64(s.streams.now().Sub(now)))
		cancel()
		if err != nil {
			cut(ended(open, &Failure{Cause: "the agent's server stopped answering", Err: err}))
			return
		}
	}
}

// receive reads what the agent says until the connection ends.
func (s *stream) receive(cut context.CancelCauseFunc) {
	var buf []byte
	for {
		data, binary, err := s.conn.read(context.Background(), buf) // run cuts it
		if err != nil {
			if f := lost(err); f != nil {
				cut(f)
			} else {
				cut(errAgentLeft)
			}
			return
		}
		buf = data
		e, err := s.dialect.Decode(data, binary)
		if err != nil {
			s.ignored.Add(1) // the call goes on: one bad frame harms nobody
			continue
		}
		if err := s.take(e); err != nil {
			cut(&Failure{Cause: err.Error()})
			return
		}
	}
}

// take does what the agent asks for.
func (s *stream) take(e dialect.Event) error {
	switch e.Kind {
	case dialect.Sound:
		return s.pacer.add(e.Sound)
	case dialect.Mark:
		return s.pacer.addMark(e.Name)
	case dialect.Clear:
		s.pacer.clear()
	case dialect.Digit:
		s.queueKey(e.Digit)
		for i := range len(e.Keys) {
			s.queueKey(e.Keys[i])
		}
	}
	return nil
}

func (s *stream) queueKey(key byte) {
	select {
	case s.digits <- key:
	default: // nobody presses so many
		s.ignored.Add(1)
	}
}
