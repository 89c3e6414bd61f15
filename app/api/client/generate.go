//go:build ignore

// Command generate writes the files of the client libraries that follow from app/api/openapi.yaml:
// the types and calls of the Go client, the Python module, and the types and the compiled files of
// the TypeScript client. It needs Node and npm. With -to it leaves the repository alone and writes
// into a folder, which then also has what the tests of the TypeScript client need.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	to := flag.String("to", "", "write into this folder instead of the repository")
	flag.Parse()
	if err := run(*to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(to string) error {
	root, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	work := to
	if to == "" {
		if work, err = os.MkdirTemp("", "carillon-clients"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	}
	spec := filepath.Join(root, "app/api/openapi.yaml")
	for _, write := range []func(root, work, spec string) error{goClient, python, typescript} {
		if err := write(root, work, spec); err != nil {
			return err
		}
	}
	if to != "" {
		return nil
	}
	return back(work, root)
}

// goClient runs oapi-codegen, which reads OpenAPI 3.1.
func goClient(root, work, spec string) error {
	dir := filepath.Join(work, "app/api/client")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return command(filepath.Join(root, "app/api/client"), "go", "tool", "oapi-codegen", "-config", "codegen.yaml",
		"-o", filepath.Join(dir, "api.gen.go"), spec)
}

// typescript runs openapi-typescript and the compiler, both pinned in package-lock.json, on a copy
// of the client, so that node_modules never gets into the repository, where Go looks for packages.
func typescript(root, work, spec string) error {
	dir := filepath.Join(work, "static/typescript")
	if err := os.CopyFS(dir, sources{os.DirFS(filepath.Join(root, "static/typescript"))}); err != nil {
		return err
	}
	if err := command(dir, "npm", "ci", "--ignore-scripts", "--silent"); err != nil {
		return err
	}
	if err := command(dir, "npm", "exec", "--", "openapi-typescript", spec, "--output", "src/api.gen.ts"); err != nil {
		return err
	}
	return command(dir, "npm", "run", "--silent", "build")
}

// sources is a folder without what is generated in it.
type sources struct{ fs.FS }

func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(s.FS, name)
	var list []fs.DirEntry
	for _, e := range all {
		if e.Name() != "node_modules" && e.Name() != "dist" && !strings.Contains(e.Name(), ".gen.") {
			list = append(list, e)
		}
	}
	return list, err
}

// back copies the generated files of work into the repository.
func back(work, root string) error {
	if err := os.RemoveAll(filepath.Join(root, "static/typescript/dist")); err != nil {
		return err
	}
	return filepath.WalkDir(work, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "node_modules" {
			return errOr(err, fs.SkipDir)
		}
		if d.IsDir() || !generated(filepath.ToSlash(name)) {
			return nil
		}
		rel, err := filepath.Rel(work, name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		into := filepath.Join(root, rel)
		if err := os.MkdirAll(filepath.Dir(into), 0o777); err != nil {
			return err
		}
		return os.WriteFile(into, text, 0o666)
	})
}

func generated(name string) bool {
	return strings.Contains(name, ".gen.") || strings.Contains(name, "/dist/") || strings.HasSuffix(name, "/carillon.py")
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// command runs a program in a folder and fails with what it said.
func command(dir, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
