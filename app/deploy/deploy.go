// Package deploy holds the files to run Carillon with: Docker Compose, a Helm chart, dashboards of
// Grafana and alert rules of Prometheus. It knows no other package; the command line gives it the
// settings that exist, and tests in package app compare the files with the program.
//
// Start reading at Compose and Chart. chart.go has what the chart shares with Compose, and its
// schema. dashboards.go and alerts.go are tables.
package deploy

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
)

//go:embed all:files
var files embed.FS

// File is one file to write. Its name has slashes.
type File struct {
	Name string
	Data []byte
}

// Setting is a variable of the environment that `carillon serve` reads.
type Setting struct{ Name, Help, Default string }

// Compose returns the files of a folder in which `docker compose up` runs Carillon. The first is
// compose.yaml. The file .env has the host of
// publicURL, and lists the settings that the others do not set.
func Compose(settings []Setting, publicURL string) ([]File, error) {
	list, err := folder("files/compose")
	if err != nil {
		return nil, err
	}
	for i := range list {
		switch f := &list[i]; f.Name {
		case "compose.yaml":
			list[0], list[i] = list[i], list[0]
		case "env":
			f.Name, f.Data = ".env", env(f.Data, settings, list)
			if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
				f.Data = bytes.ReplaceAll(f.Data, []byte("ring.example.com"), []byte(u.Hostname()))
			}
		}
	}
	list = append(list, File{"alerts.yml", Rules(publicURL)})
	for _, d := range Dashboards {
		board, err := d.Grafana()
		if err != nil {
			return nil, err
		}
		list = append(list, File{"grafana/dashboards/" + d.Slug + ".json", board})
	}
	return list, nil
}

// env adds a commented line for each setting that no file names yet.
func env(head []byte, settings []Setting, list []File) []byte {
	out := bytes.NewBuffer(bytes.Clone(head))
	for _, s := range settings {
		named := false
		for _, f := range list {
			named = named || bytes.Contains(f.Data, []byte(s.Name+":")) || bytes.Contains(f.Data, []byte(s.Name+"="))
		}
		if !named {
			fmt.Fprintf(out, "# %s\n#%s=%s\n", s.Help, s.Name, s.Default)
		}
	}
	return out.Bytes()
}

// Chart returns the files of a Helm chart. values.schema.json refuses settings that do not exist.
// PostgreSQL, NATS, coturn and Caddy are those of Compose, with the same images and files.
func Chart(settings []Setting, publicURL string) ([]File, error) {
	list, err := folder("files/helm")
	if err != nil {
		return nil, err
	}
	if list, err = likeCompose(list); err != nil {
		return nil, err
	}
	schema, err := schema(settings)
	if err != nil {
		return nil, err
	}
	list = append(list, File{"values.schema.json", schema}, File{"files/alerts.yml", Rules(publicURL)})
	for _, d := range Dashboards {
		board, err := d.Grafana()
		if err != nil {
			return nil, err
		}
		list = append(list, File{"files/dashboards/" + d.Slug + ".json", board})
	}
	return list, nil
}

// folder reads the files below dir, named from there.
func folder(dir string) (list []File, err error) {
	err = fs.WalkDir(files, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(name)
		list = append(list, File{strings.TrimPrefix(name, dir+"/"), b})
		return err
	})
	return list, err
}
