package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is a server in a process of its own.
type child struct {
	cmd     *exec.Cmd
	addr    string
	metrics string // its metrics' address, if it has any
	log     string
	done    chan error
}

// spawn starts this binary with the verb and the environment, and waits until it says where it
// listens: "… on ADDRESS".
func spawn(ctx context.Context, dir string, env []string, verb ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{log: filepath.Join(dir, verb[0]+".log"), done: make(chan error, 1)}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.cmd = exec.CommandContext(ctx, self, verb...)
	c.cmd.Env, c.cmd.Stderr = append(append(os.Environ(), "CARILLON_DRAIN=0s"), env...), log
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 30 * time.Second
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "metrics at "); ok {
			c.metrics = at
		}
		if _, addr, ok := strings.Cut(lines.Text(), " on "); ok {
			c.addr = addr
			break
		}
	}
	if c.addr == "" {
		text, _ := os.ReadFile(c.log)
		return nil, errors.Join(fmt.Errorf("the server did not start: %s", text), c.cmd.Wait())
	}
	go func() { c.done <- c.cmd.Wait() }()
	return c, nil
}

// kill ends the server as a power cut would, and waits for it.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return err
	}
	<-c.done // that it was killed is no news
	return nil
}

// stop ends the server in order and waits for it.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	} else if err != nil {
		return err
	}
	return <-c.done
}

// peak is the most memory that the server had, in bytes; zero where the system does not say
// (proc(5), VmHWM).
func (c *child) peak() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// cpu is the processor time the server has used, user and system; zero where the system does not
// say (proc(5)).
func (c *child) cpu() time.Duration { return cpuOf(c.cmd.Process.Pid) }

func cpuOf(process int) time.Duration { return ticks(statOf(process), 11, 13) }

// statOf is what the system says of a process, from its state on; shorter where it says nothing.
func statOf(process int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

// ticks adds up some fields of processor time.
func ticks(fields []string, from, to int) (sum time.Duration) {
	if len(fields) < to {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	for _, f := range fields[from:to] {
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += time.Duration(n) * tick
	}
	return sum
}

// cpuOfTree is the processor time of a process and its children, those that have ended included.
func cpuOfTree(process int) time.Duration {
	sum := ticks(statOf(process), 11, 15)
	list, _ := os.ReadDir("/proc")
	for _, f := range list {
		child, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		if fields := statOf(child); len(fields) > 1 && fields[1] == strconv.Itoa(process) {
			sum += ticks(fields, 11, 13)
		}
	}
	return sum
}

// measure reads the server's own metrics: those without labels.
func (c *child) measure(ctx context.Context) (map[string]float64, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.metrics, nil)
	if err != nil {
		return nil, err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	seen := map[string]float64{}
	lines := bufio.NewScanner(a.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			seen[name] = n
		}
	}
	return seen, lines.Err()
}
