package store

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/stdlib"
)

// TestPipelineAnswers: what a pipeline of BEGIN, the access, two statements and COMMIT says, by how
// many of them were answered and what came then. One that was committed must not run again.
func TestPipelineAnswers(t *testing.T) {
	t.Parallel()
	fatal := func(code string) *pgproto3.ErrorResponse {
		return &pgproto3.ErrorResponse{Severity: "FATAL", Code: code}
	}
	refused := func(code string) *pgproto3.ErrorResponse {
		return &pgproto3.ErrorResponse{Severity: "ERROR", Code: code}
	}
	for name, c := range map[string]struct {
		answers int
		then    *pgproto3.ErrorResponse // nil = the connection breaks
		done    bool
		unknown bool // whether it was committed
	}{
		"a statement is refused":             {answers: 3, then: refused("23505")},
		"the server ends before the COMMIT":  {answers: 3, then: fatal("57P01")},
		"the session has waited too long":    {then: fatal("25P03")},
		"the server ends at the COMMIT":      {answers: 4, then: fatal("57P01"), unknown: true},
		"the COMMIT is refused":              {answers: 4, then: refused("40001"), unknown: true},
		"the server ends after the COMMIT":   {answers: 5, then: fatal("57P01"), done: true},
		"the connection breaks after it":     {answers: 5, done: true},
		"the connection breaks before it":    {answers: 3, unknown: true},
		"a pool loses the server at BEGIN":   {then: fatal("08P01"), unknown: true},
		"a pool loses it at a statement":     {answers: 3, then: fatal("08P01"), unknown: true},
		"a pool loses it after all answered": {answers: 5, then: fatal("08P01"), done: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			served := make(chan error, 1)
			go func() {
				conn, err := l.Accept()
				if err == nil {
					err = answerSome(conn, c.answers, c.then)
				}
				served <- err
			}()
			config, err := pgx.ParseConfig("postgres://u@" + l.Addr().String() + "/d?sslmode=disable")
			if err != nil {
				t.Fatal(err)
			}
			conn, err := guarded{stdlib.GetConnector(*config)}.Connect(ctx)
			if err != nil {
				t.Fatal(err)
			}
			g := conn.(*guard)
			g.begins = true
			err = g.pipeline(ctx, allTenants, []sent{{text: "INSERT 1"}, {text: "INSERT 2"}, {text: commit}})
			if (err == nil) != c.done || errors.Is(err, errCommit) != c.unknown {
				t.Error(err)
			}
			_ = g.Close() // it may be broken
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// answerSome is a server that answers so many statements of the first transaction. It reads to the
// end of a pipeline before it breaks: with bytes that nobody read, a connection ends without its
// last answers.
func answerSome(conn net.Conn, answers int, then *pgproto3.ErrorResponse) error {
	defer conn.Close()
	client := pgproto3.NewBackend(conn, conn)
	if _, err := client.ReceiveStartupMessage(); err != nil {
		return err
	}
	client.Send(&pgproto3.AuthenticationOk{})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	const text = 25 // the type
	var types []uint32
	ran, failed := 0, false
	fail := func() {
		if failed = true; then != nil {
			client.Send(then)
		}
	}
	for {
		if err := client.Flush(); err != nil {
			return err
		}
		message, err := client.Receive()
		if err != nil {
			return nil // the store has left
		}
		switch m := message.(type) {
		case *pgproto3.Parse:
			types = slices.Repeat([]uint32{text}, strings.Count(m.Query, "$"))
			client.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Describe:
			if m.ObjectType == 'S' {
				client.Send(&pgproto3.ParameterDescription{ParameterOIDs: types})
			}
			if !failed {
				client.Send(&pgproto3.NoData{})
			}
		case *pgproto3.Bind:
			if ran == answers {
				fail()
			}
			if !failed {
				client.Send(&pgproto3.BindComplete{})
			}
		case *pgproto3.Execute:
			if ran++; !failed {
				client.Send(&pgproto3.CommandComplete{CommandTag: []byte("INSERT 0 1")})
			}
		case *pgproto3.Sync:
			if ran > 0 && !failed {
				fail()
			}
			if failed && (then == nil || then.Severity == "FATAL") {
				return client.Flush()
			}
			client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			failed = false
		}
	}
}
