package migrations

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// kept stands in a statement's text for the comment that says why earlier programs still work.
const kept = " /* kept */ "

// block stands in a statement's text for a DO block.
const block = "DO_BLOCK"

// ruled is the first step of PostgreSQL that the rule is about.
const ruled = "postgres/00050"

// breaks are the statements that can break a server of the earlier program.
var breaks = map[string]*regexp.Regexp{
	"takes a table, a column or a rule away": regexp.MustCompile(
		`(?i)\bDROP\s+(TABLE|COLUMN|CONSTRAINT|FUNCTION|VIEW|TYPE|DEFAULT|IDENTITY)\b`),
	"gives another name":                   regexp.MustCompile(`(?i)\bRENAME\b`),
	"changes the type of a column":         regexp.MustCompile(`(?i)\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b`),
	"asks for a value that may be missing": regexp.MustCompile(`(?i)\bSET\s+NOT\s+NULL\b`),
	"refuses rows that earlier programs may write": regexp.MustCompile(
		`(?i)\bADD\s+(CONSTRAINT\b|CHECK\b|UNIQUE\b|FOREIGN\b|PRIMARY\b|EXCLUDE\b)|\bCREATE\s+UNIQUE\s+INDEX\b`),
	"changes what a statement does":                   regexp.MustCompile(`(?i)\b(CREATE|DROP)\s+(\w+\s+){0,3}TRIGGER\b`),
	"runs a block of code":                            regexp.MustCompile(`\b` + block + `\b`),
	"adds a column that earlier programs do not fill": regexp.MustCompile(`(?i)\bADD\s+COLUMN\b[^;,]*\bNOT\s+NULL\b[^;,]*`),
}

var (
	hasDefault = regexp.MustCompile(`(?i)\bDEFAULT\b|\bGENERATED\b`)
	plpgsql    = regexp.MustCompile(`(?s)-- \+goose StatementBegin.*?-- \+goose StatementEnd`)
	doBlock    = regexp.MustCompile(`(?i)\A-- \+goose StatementBegin\s+DO\b`)
	locks      = regexp.MustCompile(`(?i)\bALTER\s+TABLE\b|\bDROP\s+(TABLE|INDEX|TRIGGER)\s+(IF\b|\w+)|` +
		`\bCREATE\s+(UNIQUE\s+)?INDEX\s+(IF\b|\w+)|\bCREATE\s+(CONSTRAINT\s+)?TRIGGER\b`)
	ofRings   = regexp.MustCompile(`(?i)\b(ALTER|LOCK)\s+TABLE\s+(ONLY\s+)?(facts|rings|attempts)\b`)
	lockLimit = regexp.MustCompile(`(?i)\bSET\s+LOCAL\s+lock_timeout\b|set_config\('lock_timeout'`)
)

// faults are the statements of a file that need a mark and have none. What stands between
// StatementBegin and StatementEnd is code of a function, or a block that says in a comment before
// it why it keeps earlier programs working.
func faults(text string) (found []string) {
	if !expands(Postgres, text) {
		return nil
	}
	up, _, _ := strings.Cut(text, "-- +goose Down")
	var code strings.Builder
	up = plpgsql.ReplaceAllStringFunc(up, func(code string) string {
		if doBlock.MatchString(code) {
			return block + ";"
		}
		return ";"
	})
	for line := range strings.Lines(up) {
		before, comment, _ := strings.Cut(line, "--")
		if strings.HasPrefix(comment, " expand: ") {
			before = kept
		}
		code.WriteString(before + "\n")
	}
	for statement := range strings.SplitSeq(code.String(), ";") {
		for why, pattern := range breaks {
			at := pattern.FindString(statement)
			if at == "" || strings.Contains(statement, kept) || strings.Contains(why, "do not fill") && hasDefault.MatchString(at) {
				continue
			}
			found = append(found, why+": "+strings.Join(strings.Fields(statement), " "))
		}
	}
	return found
}

// TestStepsSayWhetherTheyContract: a step that takes away what the servers of the earlier program
// use says so, and `migrate up` then waits until none of them runs.
func TestStepsSayWhetherTheyContract(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"ALTER TABLE a DROP COLUMN b;", "DROP TABLE a;", "ALTER TABLE a RENAME TO b;", "ALTER TABLE a RENAME COLUMN b TO c;",
		"ALTER TABLE a ALTER COLUMN b TYPE BIGINT;", "ALTER TABLE a ALTER b SET NOT NULL;", "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;",
		"ALTER TABLE a ADD COLUMN b TEXT NOT NULL, ADD COLUMN c TEXT DEFAULT '';",
		"ALTER TABLE a ADD CONSTRAINT b CHECK (c > 0);", "ALTER TABLE a ADD CONSTRAINT b UNIQUE (c);", "ALTER TABLE a ADD CHECK (c > 0);",
		"ALTER TABLE a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d;", "CREATE UNIQUE INDEX a ON b (c);",
		"CREATE TRIGGER a BEFORE INSERT ON b EXECUTE FUNCTION c();", "DROP TRIGGER a ON b;",
		"-- +goose StatementBegin\nDO $$ BEGIN PERFORM 1; END $$;\n-- +goose StatementEnd",
	} {
		if len(faults("-- +goose Up\n"+text)) == 0 {
			t.Errorf("%s is not found", text)
		}
		if f := faults(contract + " nothing reads it since the last release\n-- +goose Up\n" + text); len(f) > 0 {
			t.Errorf("%s with its mark: %v", text, f)
		}
	}
	for _, text := range []string{
		"CREATE TABLE a (b TEXT NOT NULL);", "ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT '';", "DROP INDEX a;",
		"-- expand: a table of the same name takes its place\nALTER TABLE a RENAME TO b;", "CREATE INDEX a ON b (c);",
		"-- expand: nothing changes\n-- +goose StatementBegin\nDO $$ BEGIN PERFORM 1; END $$;\n-- +goose StatementEnd",
		"SELECT 1; -- +goose Down\nDROP TABLE a;",
	} {
		if f := faults("-- +goose Up\n" + text); len(f) > 0 {
			t.Errorf("%s: %v", text, f)
		}
	}
	list, err := fs.Glob(files, "postgres/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, name := range list {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if name < ruled {
			continue
		}
		looked++
		for _, f := range faults(string(text)) {
			t.Errorf("%s %s\nWrite why earlier programs still work in a line before it, `-- expand: …`; or, if they do not, in a "+
				"line of the file, `-- contract: …`. CONTRIBUTING.md has the rule.", name, f)
		}
	}
	if looked == 0 {
		t.Errorf("no step from %s on", ruled)
	}
}

// limited is the first step of PostgreSQL that must not wait for long for a lock.
const limited = "postgres/00051"

// hurried is the first step that must give up still sooner if each ring waits behind it: it is
// tried dozens of times.
const hurried = "postgres/00075"

// TestStepsDoNotWaitLongForALock: what locks a table that servers use has a time-out, because rings
// wait behind it. `migrate up` tries again.
func TestStepsDoNotWaitLongForALock(t *testing.T) {
	t.Parallel()
	long := func(text string) bool {
		up, _, _ := strings.Cut(text, "-- +goose Down")
		first := locks.FindStringIndex(up)
		limit := lockLimit.FindStringIndex(up)
		return first != nil && (limit == nil || limit[0] > first[0])
	}
	for text, want := range map[string]bool{
		"ALTER TABLE a ADD b TEXT;": true, "CREATE INDEX a ON b (c);": true, "DROP INDEX a;": true, "CREATE TABLE a (b TEXT);": false,
		"SET LOCAL lock_timeout = '2s'; DROP TABLE a;": false, "DROP TABLE a; SET LOCAL lock_timeout = '2s';": true,
		"SELECT 1;\n-- +goose Down\nDROP TABLE a;": false,
	} {
		if got := long(text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	list, err := fs.Glob(files, "postgres/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if name >= limited && long(string(text)) {
			t.Errorf("%s locks a table: put `SET LOCAL lock_timeout = '2s';` first, after `-- +goose Up`.", name)
		}
		if name >= hurried && ofRings.MatchString(string(text)) && !strings.Contains(string(text), "lock_timeout = '500ms';") {
			t.Errorf("%s locks a table that each ring writes: put `SET LOCAL lock_timeout = '500ms';` first.", name)
		}
	}
}

// TestAnEarlierProgramWorksWithAnExpandedSchema: unknown steps are refused unless the program that
// applied them said that earlier programs work with them.
func TestAnEarlierProgramWorksWithAnExpandedSchema(t *testing.T) {
	t.Parallel()
	known := Step{Version: 1, Applied: true}
	if err := judge([]Step{known, {Version: 2, Applied: true, Unknown: true, Expands: true}}); err != nil {
		t.Errorf("a step that expands: %v", err)
	}
	if judge([]Step{known, {Version: 2, Applied: true, Unknown: true, Expands: true}, {Version: 3, Applied: true, Unknown: true}}) == nil {
		t.Error("a step that contracts is not refused")
	}
}
