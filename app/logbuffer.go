package app

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// logBuffer collects lines of the log and writes many of them at once: with a line for each
// request, a write of its own would wake the log's reader for each ring. Lines wait a tenth of a
// second at most. A warning or an error does not wait, nor do the lines before it. A panic that
// ends the process loses the lines that wait.
//
// It owns one goroutine, until Close.
type logBuffer struct {
	out  io.Writer
	came chan struct{} // holds a value when a first line waits
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex // guards lines
	lines []byte
}

const (
	logWait = 100 * time.Millisecond
	logFull = 32 << 10 // bytes that wait at most
)

func newLogBuffer(out io.Writer) *logBuffer {
	b := &logBuffer{out: out, came: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go b.loop()
	return b
}

// Write keeps a line, or writes all that wait when there are many.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := len(b.lines) == 0
	if b.lines = append(b.lines, line...); len(b.lines) >= logFull {
		return len(line), b.write()
	}
	if first {
		select {
		case b.came <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *logBuffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.write()
}

// write is called with mu held.
func (b *logBuffer) write() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.out.Write(b.lines)
	b.lines = b.lines[:0]
	return err
}

func (b *logBuffer) loop() {
	defer close(b.done)
	timer := time.NewTimer(logWait)
	defer timer.Stop()
	for {
		select {
		case <-b.came:
		case <-b.stop:
			return
		}
		timer.Reset(logWait)
		select {
		case <-timer.C:
			_ = b.Flush() // there is no other place to say so
		case <-b.stop:
			return
		}
	}
}

// Close writes what waits and ends the goroutine. A line written after it waits for a Flush.
func (b *logBuffer) Close() error {
	close(b.stop)
	<-b.done
	return b.Flush()
}

// prompt is a handler over a logBuffer that has warnings and errors written at once.
type prompt struct {
	slog.Handler
	buffer *logBuffer
}

// Handle hands the record on, and flushes behind a warning.
func (p prompt) Handle(ctx context.Context, r slog.Record) error {
	err := p.Handler.Handle(ctx, r)
	if r.Level > slog.LevelInfo && err == nil {
		err = p.buffer.Flush()
	}
	return err
}

// WithAttrs keeps the buffer.
func (p prompt) WithAttrs(list []slog.Attr) slog.Handler {
	return prompt{p.Handler.WithAttrs(list), p.buffer}
}

// WithGroup keeps the buffer.
func (p prompt) WithGroup(name string) slog.Handler {
	return prompt{p.Handler.WithGroup(name), p.buffer}
}
