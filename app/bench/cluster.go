package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"carillon/app/bus/natstest"
	"carillon/app/push/apnstest"
	"carillon/tenants/store/postgrestest"
)

// cluster is several nodes on one PostgreSQL and one NATS, each in a process of its own. Apple is
// in this process, as with one server.
type cluster struct {
	stage    *stage
	postgres *postgrestest.Server // nil = another's
	nats     *child
	env      []string // of all nodes, beside the stage's

	mu    sync.Mutex // guards nodes: rings ask for addresses while a node is replaced
	nodes []*child
}

// MostNodes is how many nodes one machine is asked to run.
const MostNodes = 9

// newCluster fills a database, and starts NATS. No node runs yet. An empty address is a PostgreSQL
// of this benchmark's own.
func newCluster(ctx context.Context, database string, devices int, onPush func(apnstest.Delivered)) (c *cluster, err error) {
	c = &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if database == "" {
		if c.postgres, err = postgrestest.New(postgrestest.Config{Durable: true}); err != nil {
			return c, fmt.Errorf("%w; or give --database", err)
		}
		name, err := c.postgres.Database(ctx, "template1")
		if err != nil {
			return c, err
		}
		database = c.postgres.URL(name)
	}
	if c.stage, err = furnished(ctx, place{url: database}, devices, onPush); err != nil {
		return c, err
	}
	return c, c.startNATS(ctx, 0)
}

// startNATS starts it on a port; 0 = a free one.
func (c *cluster) startNATS(ctx context.Context, port int) (err error) {
	c.nats, err = spawn(ctx, c.stage.dir, nil, "bench", "nats", strconv.Itoa(port))
	return err
}

// natsPort is where NATS listens.
func (c *cluster) natsPort() (int, error) {
	_, port, err := net.SplitHostPort(c.nats.addr)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// scale starts or stops nodes until n run.
func (c *cluster) scale(ctx context.Context, n int) error {
	running := c.running()
	for last := len(running) - 1; last >= n; last-- {
		if err := running[last].stop(); err != nil {
			return err
		}
		c.mu.Lock()
		c.nodes = c.nodes[:last]
		c.mu.Unlock()
	}
	for i := len(running); i < n; i++ {
		node, err := c.start(ctx, i)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.nodes = append(c.nodes, node)
		c.mu.Unlock()
	}
	return nil
}

// running are the nodes, one that was killed and not replaced yet included.
func (c *cluster) running() []*child {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

// node is the i-th node; it starts again from the first after the last.
func (c *cluster) node(i int) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[i%len(c.nodes)]
}

// replace starts another node instead of the i-th, which has ended. Where that fails, the old one
// stays.
func (c *cluster) replace(ctx context.Context, i int, verb ...string) error {
	next, err := c.start(ctx, i, verb...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i] = next
	return nil
}

// start starts the i-th node.
func (c *cluster) start(ctx context.Context, i int, verb ...string) (*child, error) {
	if len(verb) == 0 {
		verb = []string{"serve"}
	}
	env := append(append([]string{}, c.stage.env...), "CARILLON_NATS_URL=nats://"+c.nats.addr, fmt.Sprintf("CARILLON_NODE=node-%d", i+1))
	return spawn(ctx, c.stage.dir, append(env, c.env...), verb...)
}

// addresses are those of the nodes that run.
func (c *cluster) addresses() []string {
	var list []string
	for _, n := range c.running() {
		list = append(list, n.addr)
	}
	return list
}

// used is processor time and work so far.
type used struct {
	nodes, nats, postgres time.Duration
	messages              natstest.Counts
	figures               postgrestest.Figures
}

func (c *cluster) used(ctx context.Context) (u used, err error) {
	for _, n := range c.running() {
		u.nodes += n.cpu()
	}
	u.nats = c.nats.cpu()
	if c.postgres != nil {
		u.postgres = cpuOfTree(c.postgres.Process())
	}
	if u.figures, err = postgrestest.Read(ctx, c.stage.files.URL); err != nil {
		return u, err
	}
	u.messages, err = c.messages(ctx)
	return u, err
}

// add adds what was used between two looks.
func (u *used) add(before, after used) {
	u.nodes += after.nodes - before.nodes
	u.nats += after.nats - before.nats
	u.postgres += after.postgres - before.postgres
	u.messages.In += after.messages.In - before.messages.In
	u.messages.Out += after.messages.Out - before.messages.Out
	d := after.figures.Sub(before.figures)
	u.figures.Commits += d.Commits
	u.figures.Log += d.Log
	u.figures.Bytes += d.Bytes
}

// messages asks NATS' process how many went through.
func (c *cluster) messages(ctx context.Context) (n natstest.Counts, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.nats.metrics, nil)
	if err != nil {
		return n, err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return n, err
	}
	defer answer.Body.Close()
	return n, json.NewDecoder(answer.Body).Decode(&n)
}

func (c *cluster) close() error {
	var errs []error
	for _, n := range c.running() {
		errs = append(errs, n.stop())
	}
	if c.nats != nil {
		errs = append(errs, c.nats.stop())
	}
	if c.stage != nil {
		errs = append(errs, c.stage.close())
	}
	if c.postgres != nil {
		errs = append(errs, c.postgres.Close())
	}
	return errors.Join(errs...)
}

// NATS serves NATS on a port of this machine until ctx is done; 0 = a free one. How many messages
// went through can be read over HTTP.
func NATS(ctx context.Context, out io.Writer, port int) error {
	s, err := natstest.At(port)
	if err != nil {
		return err
	}
	defer s.Stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		counts, err := s.Counts()
		if err == nil {
			err = json.NewEncoder(w).Encode(counts)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(out, "metrics at http://%s\nNATS on %s\n", listener.Addr(), s.URL()[len("nats://"):])
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
