package console

import (
	"go/parser"
	"go/token"
	"os/exec"
	"strings"
	"testing"
)

// TestSamplesAreRead: the programs of the page for developers are read by their languages, as far
// as those are here. They do what the examples of the client libraries do, which other tests run.
func TestSamplesAreRead(t *testing.T) {
	t.Parallel()
	reads := map[string]struct {
		before, after string
		reader        []string
	}{
		"curl":       {reader: []string{"bash", "-n"}},
		"Python":     {reader: []string{"python3", "-c", "import ast, sys; ast.parse(sys.stdin.read())"}},
		"TypeScript": {reader: []string{"node", "--input-type=module", "--check", "-"}}, // it has no types of its own
		"Go":         {before: "package main\nfunc main() {\n", after: "\n}\n"},
		"Swift":      {}, // as the README of the package
	}
	for _, s := range samplesFor("https://ring.example", "01900000-0000-7000-8000-000000000001", "com.example.app") {
		how, known := reads[s.Name]
		if !known {
			t.Errorf("nothing reads the sample in %s", s.Name)
			continue
		}
		if how.before != "" {
			if _, err := parser.ParseFile(token.NewFileSet(), "", how.before+s.Text+how.after, 0); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
		if len(how.reader) == 0 {
			continue
		}
		if _, err := exec.LookPath(how.reader[0]); err != nil {
			t.Logf("no %s is installed; .ci/run installs it", how.reader[0])
			continue
		}
		c := exec.CommandContext(t.Context(), how.reader[0], how.reader[1:]...)
		c.Stdin = strings.NewReader(s.Text)
		if said, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", s.Name, err, said)
		}
	}
}
