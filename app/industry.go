package app

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"carillon/tenants"
)

// IndustryFolder is where the operator's own industries are.
type IndustryFolder struct {
	Industries string `help:"Folder with industries of your own, one .json file each; see 'carillon industry show'." env:"CARILLON_INDUSTRIES" type:"path"`
}

// read returns the built-in industries and those of the folder.
func (f IndustryFolder) read() (*tenants.Industries, error) {
	if f.Industries == "" {
		return tenants.BuiltinIndustries(), nil
	}
	info, err := os.Stat(f.Industries)
	switch {
	case err != nil:
		return nil, unread(f.Industries, err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no folder; give the folder that holds the .json files", f.Industries)
	}
	return tenants.ReadIndustries(os.DirFS(f.Industries))
}

// industryCmd shows the files of the industries.
type industryCmd struct {
	List industryListCmd `cmd:"" help:"Print the industries that a tenant can have."`
	Show industryShowCmd `cmd:"" help:"Print an industry's file; change a copy for an industry of your own."`
}

type industryListCmd struct {
	JSON bool `help:"Print one JSON line for each industry."`
	IndustryFolder
}

// Run prints them in the order in which people see them.
func (l *industryListCmd) Run(c terminal) error {
	in, err := l.read()
	if err != nil {
		return fmt.Errorf("CARILLON_INDUSTRIES: %w", err)
	}
	if l.JSON {
		return jsonLines(c, in.List(), func(f tenants.IndustryFile) any {
			r := f.Rules.With(nil)
			return map[string]any{"industry": f.Slug, "name": f.Name, "push": r.Payload, "quiet_hours": fmt.Sprint(r.Quiet),
				"consent": fmt.Sprint(r.Consent)}
		})
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INDUSTRY\tNAME\tPUSH\tQUIET HOURS\tCONSENT")
	for _, f := range in.List() {
		r := f.Rules.With(nil)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Slug, f.Name, r.Payload, r.Quiet, r.Consent)
	}
	return t.Flush()
}

type industryShowCmd struct {
	Industry string `arg:"" help:"The industry, such as salon."`
	IndustryFolder
}

// Run prints the file.
func (s *industryShowCmd) Run(c terminal) error {
	in, err := s.read()
	if err != nil {
		return fmt.Errorf("CARILLON_INDUSTRIES: %w", err)
	}
	f, ok := in.File(tenants.Industry(s.Industry))
	if !ok {
		return fmt.Errorf("there is no industry %q; 'carillon industry list' prints all", s.Industry)
	}
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(f)
}
