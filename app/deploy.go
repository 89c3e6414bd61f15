package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"carillon/app/deploy"
)

// deployCmd prints the files to run Carillon with.
type deployCmd struct {
	Compose deployComposeCmd `cmd:"" help:"Docker Compose: Carillon behind Caddy, and what it may need beside it as profiles."`
	Helm    deployHelmCmd    `cmd:"" help:"A Helm chart for Kubernetes."`
	Grafana deployGrafanaCmd `cmd:"" help:"Dashboards of Grafana."`
	Alerts  deployAlertsCmd  `cmd:"" help:"Alert rules of Prometheus."`
}

// deployTo is where files are written.
type deployTo struct {
	Out   string `help:"Folder to write into; empty = print." type:"path"`
	Force bool   `help:"Replace files of the folder that differ. An .env is always kept."`
}

// deployLinks is what alerts link to.
type deployLinks struct {
	PublicURL string `help:"The address of this installation; alerts link to its page of metrics." default:"https://ring.example.com" env:"CARILLON_PUBLIC_URL"`
}

type deployComposeCmd struct {
	deployTo
	deployLinks
}

// Run prints compose.yaml, or writes it with all that it mounts.
func (d *deployComposeCmd) Run(ctx context.Context, c terminal) error {
	settings, err := serveSettings(ctx)
	if err != nil {
		return err
	}
	list, err := deploy.Compose(settings, d.PublicURL)
	if err != nil {
		return err
	}
	if d.Out == "" {
		fmt.Fprintln(c.err, "This is compose.yaml alone. `carillon deploy compose --out DIR` writes it with the files that it mounts.")
		_, err = c.out.Write(list[0].Data)
		return err
	}
	return d.write(c, list)
}

type deployHelmCmd struct {
	deployTo
	deployLinks
}

// Run writes the chart as a folder or, if the name ends in .tgz, as an archive. Without --out the
// archive goes to the output, which must not be a terminal.
func (d *deployHelmCmd) Run(ctx context.Context, c terminal) error {
	settings, err := serveSettings(ctx)
	if err != nil {
		return err
	}
	list, err := deploy.Chart(settings, d.PublicURL)
	if err != nil {
		return err
	}
	if d.Out != "" && !strings.HasSuffix(d.Out, ".tgz") {
		return d.write(c, list)
	}
	packed, err := archive(list)
	if err != nil {
		return err
	}
	if d.Out != "" {
		into := deployTo{Out: filepath.Dir(d.Out), Force: d.Force}
		return into.write(c, []deploy.File{{Name: filepath.Base(d.Out), Data: packed}})
	}
	if isTerminal(c.out) {
		return misused{errors.New("the chart is an archive and cannot be shown; give --out DIR, --out carillon.tgz, or > carillon.tgz")}
	}
	_, err = c.out.Write(packed)
	return err
}

// isTerminal reports whether a person would see what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// archive packs a chart as `helm package` does: everything is below a folder of its name.
func archive(list []deploy.File) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for _, f := range list {
		h := &tar.Header{Name: "carillon/" + f.Name, Mode: 0o644, Size: int64(len(f.Data)), Typeflag: tar.TypeReg}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

type deployGrafanaCmd struct {
	Name string `arg:"" optional:"" help:"The dashboard to print, such as carillon-rings; empty = all, as one JSON array."`
	deployTo
}

// Run prints dashboards, or writes one file for each.
func (d *deployGrafanaCmd) Run(c terminal) error {
	var list []deploy.File
	var names []string
	for _, board := range deploy.Dashboards {
		names = append(names, board.Slug)
		if d.Name != "" && d.Name != board.Slug {
			continue
		}
		data, err := board.Grafana()
		if err != nil {
			return err
		}
		list = append(list, deploy.File{Name: board.Slug + ".json", Data: data})
	}
	if len(list) == 0 {
		return misused{fmt.Errorf("there is no dashboard %q; there are %s", d.Name, strings.Join(names, ", "))}
	}
	if d.Out != "" {
		return d.write(c, list)
	}
	if d.Name != "" {
		_, err := c.out.Write(list[0].Data)
		return err
	}
	var all [][]byte
	for _, f := range list {
		all = append(all, bytes.TrimSpace(f.Data))
	}
	_, err := fmt.Fprintf(c.out, "[%s]\n", bytes.Join(all, []byte(",\n")))
	return err
}

type deployAlertsCmd struct {
	deployTo
	deployLinks
}

// Run prints the rules.
func (d *deployAlertsCmd) Run(c terminal) error {
	rules := deploy.Rules(d.PublicURL)
	if d.Out != "" {
		return d.write(c, []deploy.File{{Name: "alerts.yml", Data: rules}})
	}
	_, err := c.out.Write(rules)
	return err
}

// write puts the files into the folder. If one is there already and differs, it writes nothing,
// unless Force is set. An .env holds what the operator typed, so it is kept in any case.
func (d deployTo) write(c terminal, list []deploy.File) error {
	var differ []string
	kept := false
	list = slices.DeleteFunc(slices.Clone(list), func(f deploy.File) bool {
		have, err := os.ReadFile(filepath.Join(d.Out, filepath.FromSlash(f.Name)))
		if err == nil && !bytes.Equal(have, f.Data) && f.Name != ".env" {
			differ = append(differ, f.Name)
		}
		kept = kept || err == nil && f.Name == ".env"
		return err == nil && f.Name == ".env"
	})
	if len(differ) > 0 && !d.Force {
		return fmt.Errorf("%s has other versions of %s; nothing was written. Give --force to replace them, or another folder",
			d.Out, strings.Join(differ, ", "))
	}
	for _, f := range list {
		if err := d.put(f); err != nil {
			return err
		}
		fmt.Fprintln(c.out, filepath.Join(d.Out, filepath.FromSlash(f.Name)))
	}
	if kept {
		fmt.Fprintln(c.err, "Kept .env, which holds your settings.")
	}
	return nil
}

// put writes one file. Containers read it as users of their own, so everybody may, except for .env,
// which holds passwords.
func (d deployTo) put(f deploy.File) error {
	name, mode := filepath.Join(d.Out, filepath.FromSlash(f.Name)), fs.FileMode(0o644)
	if f.Name == ".env" {
		mode = 0o600
	}
	made, err := missingFolders(d.Out, path.Dir(f.Name))
	if err != nil {
		return err
	}
	for _, dir := range made {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o755); err != nil { // the process masks what others may
			return err
		}
	}
	if err := os.WriteFile(name, f.Data, mode); err != nil {
		return err
	}
	return os.Chmod(name, mode)
}

// missingFolders lists the folders to make for out/sub, the outermost first.
func missingFolders(out, sub string) (list []string, err error) {
	for at := filepath.Join(out, filepath.FromSlash(sub)); ; at = filepath.Dir(at) {
		_, err := os.Stat(at)
		if err == nil || at == filepath.Dir(at) {
			slices.Reverse(list)
			return list, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, unread(at, err)
		}
		list = append(list, at)
	}
}

// serveSettings lists the variables that `carillon serve` reads, from its flags.
func serveSettings(ctx context.Context) (list []deploy.Setting, err error) {
	parser, err := grammar(ctx, terminal{io.Discard, io.Discard, nil})
	if err != nil {
		return nil, err
	}
	for _, verb := range parser.Model.Children {
		if verb.Name != "serve" {
			continue
		}
		for _, flag := range verb.Flags {
			for _, name := range flag.Envs {
				list = append(list, deploy.Setting{Name: name, Help: flag.Help, Default: flag.Default})
			}
		}
	}
	return list, nil
}
