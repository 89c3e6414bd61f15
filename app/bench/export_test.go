package bench

import "context"

// What the crash test needs of a stage.
type (
	Stage  = stage
	Client = client
)

var (
	SetUp   = setUp
	Dial    = dial
	Request = request
	Field   = field
)

func (s *stage) Server() *child                           { return s.server }
func (s *stage) Key() string                              { return string([]byte(s.key)) }
func (s *stage) Device(i int) string                      { return string(s.devices[i%len(s.devices)]) }
func (s *stage) Close() error                             { return s.close() }
func (c *child) Addr() string                             { return c.addr }
func (c *client) Ask(request []byte) (int, []byte, error) { return c.ask(request) }
func (c *client) Close() error                            { return c.close() }

// Crash kills the server and starts it again on what it left.
func (s *stage) Crash(ctx context.Context) error {
	if err := s.server.kill(); err != nil {
		return err
	}
	return s.start(ctx)
}

// Judge fills in the checks.
func (r *SoakReport) Judge() { r.judge() }
