package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"carillon/tenants"
)

// cli is the whole command line; each verb is a file of this package.
type cli struct {
	Dev       devCmd       `cmd:"" help:"Run everything on this machine, with SQLite, simulated phones and seeded tenants."`
	Serve     serveCmd     `cmd:"" help:"Run in production."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database schema up to date, or list its steps."`
	Tenant    tenantCmd    `cmd:"" help:"Manage tenants."`
	Industry  industryCmd  `cmd:"" help:"The industries that a tenant can have, and their files."`
	Plans     plansCmd     `cmd:"" help:"What tenants may buy."`
	User      userCmd      `cmd:"" help:"Let people in again, or keep them out."`
	Operator  operatorCmd  `cmd:"" help:"The people who run this server, and their console."`
	Audit     auditCmd     `cmd:"" help:"Verify a tenant's record of changes."`
	Affiliate affiliateCmd `cmd:"" help:"Add partners, pay them, and end them."`
	Keys      keysCmd      `cmd:"" help:"The master key that seals secrets at rest."`
	Backup    backupCmd    `cmd:"" help:"Copy the SQLite database to a file, while the server serves."`
	Restore   restoreCmd   `cmd:"" help:"Restore a backup into an empty folder."`
	Copy      copyCmd      `cmd:"" help:"Copy everything from SQLite to PostgreSQL, and compare it."`
	Doctor    doctorCmd    `cmd:"" help:"Check configuration, database, credentials, Apple, voice, Stripe and this machine."`
	Agent     agentCmd     `cmd:"" help:"Run a sample agent on the Twilio Media Streams protocol."`
	Ring      ringCmd      `cmd:"" help:"Place a ring through the API and follow it."`

	Rings       ringsCmd       `cmd:"" help:"Rings of a tenant: list, show, stop, follow."`
	Tail        tailCmd        `cmd:"" help:"Follow all rings of a tenant."`
	Transfer    transferCmd    `cmd:"" help:"Give a call to another agent or person."`
	Notes       notesCmd       `cmd:"" help:"What was said in a call."`
	Devices     devicesCmd     `cmd:"" help:"Phones of a tenant."`
	Pairings    pairingsCmd    `cmd:"" help:"Codes with which phones register."`
	Credentials credentialsCmd `cmd:"" help:"Apple keys and certificates of a tenant."`
	Agents      agentsCmd      `cmd:"" help:"Voice agents of a tenant."`
	Groups      groupsCmd      `cmd:"" help:"Groups of persons who are rung together."`
	Schedules   schedulesCmd   `cmd:"" help:"When the persons of groups are on duty."`
	Consents    consentsCmd    `cmd:"" help:"Consents of persons to be called."`
	Connections connectionsCmd `cmd:"" help:"A tenant's own systems, to which events are sent."`
	Analytics   analyticsCmd   `cmd:"" help:"How many rings reach each step, and why not."`
	OpenAPI     openapiCmd     `cmd:"" name:"openapi" help:"Print the description of the API."`
	MCP         mcpCmd         `cmd:"" name:"mcp" help:"Connect a desktop client of the Model Context Protocol with a server."`

	Completion completionCmd `cmd:"" help:"Print a script that completes command lines in a shell."`
	Help       helpCmd       `cmd:"" help:"Print this, or the help of a verb."`
	Health     healthCmd     `cmd:"" help:"Ask a running server whether it is ready."`
	Deploy     deployCmd     `cmd:"" help:"Print the files to run it with: Docker Compose, Helm, dashboards and alerts."`
	Bench      benchCmd      `cmd:"" help:"Measure this machine through real sockets against the built-in simulators."`
}

const programHelp = `Rings iPhones for AI voice agents, and follows each ring to the person's ear.

Exit codes: 0 done; 1 failed; 2 the command line was not understood. Verbs that ask a server also have: 3 the server refused; 4 there is
no such thing; 5 no server answered, or it failed, or its answer was lost. ring also has: 6 the ring ended without a call. 130 is an
interruption before the end, except of verbs that last until then.`

// exitInterrupted is what a shell reports of a program that SIGINT ended.
const exitInterrupted = 130

// lasting are the verbs that run until they are interrupted: for them that is no failure.
var lasting = []string{"serve", "dev", "tail", "mcp", "agent"}

// errHelp is a verb that help does not know; the reason was printed.
var errHelp = errors.New("there is no such verb; run carillon help")

// terminal is where a verb writes: results on out, everything else on err. now is the verb's clock.
type terminal struct {
	out, err io.Writer
	now      func() time.Time
}

// exited is what kong panics with after a flag such as --help, which needs no verb to run.
type exited int

// Run runs one command line and gives the exit code: 0 done, 1 failed, 2 not understood, 130
// interrupted; verbs that ask a server have more. It returns when ctx is done and everything it
// started has ended.
func Run(ctx context.Context, args []string, out, errs io.Writer) (code int) {
	private()
	return run(ctx, args, terminal{out, errs, time.Now})
}

type changelogKey struct{}

// WithChangelog hands CHANGELOG.md to the documentation: only the package at the root can embed it.
func WithChangelog(ctx context.Context, text string) context.Context {
	return context.WithValue(ctx, changelogKey{}, text)
}

// changelogOf is what WithChangelog gave; empty = there is no page about changes.
func changelogOf(ctx context.Context) string {
	text, _ := ctx.Value(changelogKey{}).(string)
	return text
}

func run(ctx context.Context, args []string, c terminal) (code int) {
	defer func() {
		if p := recover(); p != nil {
			l, ok := p.(exited)
			if !ok {
				panic(p)
			}
			code = int(l)
		}
	}()
	parser, err := grammar(ctx, c)
	if err != nil {
		fmt.Fprintln(c.err, "carillon:", err)
		return 2
	}
	if len(args) > 0 && args[0] == completeVerb {
		complete(parser.Model, args[1:], c.out)
		return 0
	}
	verb, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(c.err, "carillon: %v\n%s\n", err, hint(err))
		return 2
	}
	switch err := verb.Run(); {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		if slices.Contains(lasting, verb.Selected().Name) && verb.Selected().Parent == parser.Model.Node {
			return 0
		}
		return exitInterrupted
	case errors.As(err, new(misused)):
		fmt.Fprintf(c.err, "carillon: %v\nRun `%s --help` to see what it takes.\n", err, verb.Selected().FullPath())
		return 2
	default:
		fmt.Fprintln(c.err, "carillon:", errorText(err))
		var far *farError
		if errors.As(err, &far) {
			return far.code
		}
		return 1
	}
}

// grammar makes the parser of the command line; a flag such as --help panics with exited.
func grammar(ctx context.Context, c terminal) (*kong.Kong, error) {
	return kong.New(&cli{},
		kong.Name("carillon"), kong.Description(programHelp),
		kong.Vars{"ring_states": ringStates()}, kong.Writers(c.out, c.err), kong.Exit(func(code int) { panic(exited(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(c), kong.PostBuild(filesMayBeEmpty),
	)
}

// filesMayBeEmpty has a variable of a file that is set to nothing, as in an .env, count as not set:
// the parser of paths takes it for the folder in which the program runs.
func filesMayBeEmpty(k *kong.Kong) error {
	return kong.Visit(k.Model, func(n kong.Visitable, next kong.Next) error {
		if f, ok := n.(*kong.Flag); ok && f.Tag.Type == "path" {
			f.Tag.Envs = slices.DeleteFunc(slices.Clone(f.Tag.Envs), func(name string) bool {
				value, is := os.LookupEnv(name)
				return is && value == ""
			})
		}
		return next(nil)
	})
}

// misused is a failure that the flags alone explain: the exit code is 2.
type misused struct{ error }

// hint names the help page of the verb that was not understood.
func hint(err error) string {
	verb := "carillon"
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil {
		if node := p.Context.Selected(); node != nil {
			verb = node.FullPath()
		}
	}
	return "Run `" + verb + " --help` to see what it takes."
}

// errorText is what a person reads of an error. The cause is shown only for faults of the machine,
// where it helps to repair them; the text of a driver does not explain a refusal.
func errorText(err error) string {
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind == tenants.Internal || e.Kind == tenants.Unavailable {
		return err.Error()
	}
	public := *e
	public.Err = nil
	return public.Error()
}
