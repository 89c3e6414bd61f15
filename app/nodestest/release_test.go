package nodestest_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// previousFile names the commit of the previous release: a commit, because a checkout need not have
// tags. Its schema must have the last step that contracts. .ci/run reads the file too.
const previousFile = "testdata/previous"

// previous builds the previous release. The test is skipped where its history is not there.
func previous(t *testing.T) (program string) {
	t.Helper()
	text, err := os.ReadFile(previousFile)
	if err != nil {
		t.Fatal(err)
	}
	commit, dir := strings.TrimSpace(string(text)), t.TempDir()
	tree := filepath.Join(dir, "tree")
	top, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Skipf("the history is not here, so the previous release %s cannot be built: %v", commit, err)
	}
	run := func(in, name string, args ...string) error {
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir = in
		c.Env = append(os.Environ(), "GIT_INDEX_FILE="+filepath.Join(dir, "index"), "CGO_ENABLED=0") // without cgo, as .ci/run builds it
		said, err := c.CombinedOutput()
		if err != nil {
			return errors.Join(err, errors.New(string(said)))
		}
		return nil
	}
	root := strings.TrimSpace(string(top))
	if err := run(root, "git", "cat-file", "-e", commit+"^{commit}"); err != nil {
		t.Skipf("the history is not here, so the previous release %s cannot be built: %v", commit, err)
	}
	program = filepath.Join(dir, "carillon")
	err = run(root, "git", "read-tree", commit)
	if err == nil {
		err = run(root, "git", "checkout-index", "--all", "--prefix="+tree+"/")
	}
	if err == nil {
		err = run(tree, "go", "build", "-trimpath", "-buildvcs=false", "-o", program, ".")
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// TestBesideThePreviousRelease: two nodes of the previous release run while the schema is brought
// to this one's and both are replaced, and rings arrive all the time. Each ring is accepted, by one
// of them or after a refusal that says when to come again, and pushed under one apns-id. Nodes of
// both releases hear of each other's facts, and continue one audit chain.
func TestBesideThePreviousRelease(t *testing.T) {
	t.Parallel()
	w := worldBefore(t, previous(t))
	a, b := w.sharedAs(w.before, "a"), w.sharedAs(w.before, "b")
	a.furnish()
	l := w.load(a, b)
	l.more(5)
	w.run("", "migrate", "up")
	l.more(5)
	c := w.shared("c")
	l.replace(0, c)
	for _, hears := range [][2]*node{{b, c}, {c, b}} {
		id := hears[1].place()
		l.own = append(l.own, id)
		kinds := hears[0].events(t.Context(), id)
		w.hears(kinds, "placed", time.Minute)
		hears[1].call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
		w.hears(kinds, "cancelled", time.Minute)
	}
	l.more(10)
	l.replace(1, w.shared("d"))
	l.more(5)
	l.end()
	w.run("", "audit", "verify")
}
