package client

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestClientsTellTheirStory generates the clients again, in a folder of its own, and runs the story
// of each one's README against the real program, with all tests of those that are not Go.
func TestClientsTellTheirStory(t *testing.T) {
	t.Parallel()
	for _, needed := range []string{"node", "npm", "python3"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("no %s is installed; .ci/run installs it", needed)
		}
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "carillon")
	// As .ci/run builds it, so that the cache has it.
	runs(t, "../../..", []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-o", program, ".")
	runs(t, ".", nil, "go", "run", "generate.go", "python.go", "python_kinds.go", "-to", dir)

	for _, folder := range []string{"app/api/client", "static/python", "static/typescript/src", "static/typescript/dist"} {
		same(t, filepath.Join(dir, folder), filepath.Join("../../..", folder))
	}

	t.Run("go", func(t *testing.T) {
		t.Parallel()
		story(t, program)
	})
	t.Run("typescript", func(t *testing.T) {
		t.Parallel()
		tests, err := filepath.Glob(filepath.Join(dir, "static/typescript/test/*.test.js"))
		if err != nil || len(tests) < 2 {
			t.Fatalf("found the tests %q, %v", tests, err)
		}
		out := runs(t, filepath.Join(dir, "static/typescript"), []string{"CARILLON=" + program},
			"node", append([]string{"--test", "--test-reporter=tap"}, tests...)...)
		if !strings.Contains(out, "\n# fail 0\n") || !strings.Contains(out, "\n# skipped 0\n") {
			t.Error(out)
		}
	})
	t.Run("python", func(t *testing.T) {
		t.Parallel()
		python := filepath.Join(dir, "static/python")
		for _, name := range []string{"README.md", "test_carillon.py"} {
			text, err := os.ReadFile(filepath.Join("../../../static/python", name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(python, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out := runs(t, python, []string{"CARILLON=" + program}, "python3", "-W", "error", "-m", "unittest")
		if !strings.Contains(out, "\nOK\n") { // with skipped tests it is OK (skipped=1)
			t.Error(out)
		}
	})
}

// same compares the generated files of a folder with the committed ones.
func same(t *testing.T, dir, committed string) {
	t.Helper()
	made, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range made {
		want, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(committed, f.Name()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what openapi.yaml gives; run go generate ./app/api/client", filepath.Join(committed, f.Name()))
		}
	}
}

// runs runs a program in a folder and gives what it printed.
func runs(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
