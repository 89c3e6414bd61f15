package static

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// sources holds the libraries that people download. The go command leaves out files that begin with
// "." or "_", so a build folder such as .build is not embedded. The files of TypeScript and Python
// are named one by one, since their tools make folders beside them.
//
//go:embed swift
//go:embed typescript/LICENSE typescript/README.md typescript/*.json typescript/src typescript/dist typescript/test
//go:embed python/LICENSE python/README.md python/pyproject.toml python/*.py
var sources embed.FS

// archives lists what can be downloaded: the folder here, and the folder's name in the archive.
var archives = map[string]func() (Asset, error){
	"swift":      sync.OnceValues(func() (Asset, error) { return pack("swift", "CarillonKit") }),
	"typescript": sync.OnceValues(func() (Asset, error) { return pack("typescript", "carillon-typescript") }),
	"python":     sync.OnceValues(func() (Asset, error) { return pack("python", "carillon-python") }),
}

// Archive returns a library as a zip file. ok is false if there is none of that name. The same
// sources always give the same bytes.
func Archive(name string) (a Asset, ok bool, err error) {
	made, ok := archives[name]
	if !ok {
		return Asset{}, false, nil
	}
	a, err = made()
	return a, true, err
}

// Archives lists the names of the libraries.
func Archives() []string {
	var names []string
	for name := range archives {
		names = append(names, name)
	}
	return names
}

// unwanted are folders of tools, which a developer's machine may have beside the sources.
var unwanted = []string{"node_modules", "build", "DerivedData", "__pycache__"}

// pack writes the folder into a zip file. All files have one fixed time, so that the bytes do not
// depend on the machine.
func pack(folder, as string) (Asset, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	err := fs.WalkDir(sources, folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			for _, name := range unwanted {
				if d.Name() == name {
					return fs.SkipDir
				}
			}
			return nil
		}
		body, err := sources.ReadFile(path)
		if err != nil {
			return err
		}
		h := &zip.FileHeader{
			Name: as + strings.TrimPrefix(path, folder), Method: zip.Deflate, Modified: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		}
		h.SetMode(0o644)
		w, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		_, err = w.Write(body)
		return err
	})
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return Asset{}, fmt.Errorf("static: archive of %s: %w", folder, err)
	}
	return Asset{Content: out.Bytes(), Type: "application/zip", ETag: `"archive-` + digest(out.Bytes()) + `"`}, nil
}
