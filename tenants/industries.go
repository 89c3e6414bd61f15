package tenants

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed industries/*.json
var industryFiles embed.FS

// Industries are the files of all industries: the built-in ones, and those that the operator added.
type Industries struct {
	files []IndustryFile // by Order
	added bool           // the operator added some
}

// builtinIndustries reads the built-in files once.
var builtinIndustries = sync.OnceValue(func() *Industries {
	files, err := readIndustries(mustSub(industryFiles, "industries"))
	if err != nil {
		panic("tenants: " + err.Error()) // a test reads them
	}
	return newIndustries(files)
})

func mustSub(of fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(of, dir)
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// BuiltinIndustries returns the industries that Carillon ships with.
func BuiltinIndustries() *Industries { return builtinIndustries() }

// The bounds of a folder of industries.
const (
	maxIndustries   = 200
	maxIndustryFile = 256 << 10 // bytes
)

// ReadIndustries returns the built-in industries and those of the .json files in a folder. Its
// error names every fault of every file, with file and path. A slug that is built in cannot be used
// again: a file of the operator must not loosen what holds for tenants that are there already.
func ReadIndustries(dir fs.FS) (*Industries, error) {
	files, err := readIndustries(dir)
	all := slices.Clone(BuiltinIndustries().files)
	faults := []error{err}
	for _, f := range files {
		if _, ok := BuiltinIndustries().File(f.Slug); ok {
			faults = append(faults, fmt.Errorf("%s.json: slug: %q is built in; choose another slug", f.Slug, f.Slug))
			continue
		}
		all = append(all, f)
	}
	samples := map[string]Industry{}
	for _, f := range all {
		if other, taken := samples[f.Sample.Slug]; taken {
			faults = append(faults, fmt.Errorf("%s.json: sample.slug: %q is that of %s; choose another slug", f.Slug, f.Sample.Slug, other))
		}
		samples[f.Sample.Slug] = f.Slug
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	in := newIndustries(all)
	in.added = len(files) > 0
	return in, nil
}

func newIndustries(files []IndustryFile) *Industries {
	slices.SortFunc(files, func(a, b IndustryFile) int { return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Slug, b.Slug)) })
	return &Industries{files: files}
}

func readIndustries(dir fs.FS) (files []IndustryFile, err error) {
	names, err := fs.Glob(dir, "*.json")
	if err != nil {
		return nil, err // the pattern is a constant
	}
	if len(names) > maxIndustries {
		return nil, fmt.Errorf("there are %d files; at most %d are read", len(names), maxIndustries)
	}
	var faults []error
	for _, name := range names {
		text, err := readBounded(dir, name)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
			continue
		}
		f, wrong := ParseIndustry(text)
		if want := strings.TrimSuffix(path.Base(name), ".json"); len(wrong) == 0 && string(f.Slug) != want {
			wrong = append(wrong, fmt.Errorf("slug: is %q, and the file is called %s; give both the same name", f.Slug, name))
		}
		for _, one := range wrong {
			faults = append(faults, fmt.Errorf("%s: %w", name, one))
		}
		files = append(files, f)
	}
	return files, errors.Join(faults...)
}

func readBounded(dir fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(dir, name)
	if err == nil && info.Size() > maxIndustryFile {
		err = fmt.Errorf("has %d bytes; at most %d are read", info.Size(), maxIndustryFile)
	}
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(dir, name)
}

// List lists them in the order in which people see them.
func (in *Industries) List() []IndustryFile { return slices.Clone(in.files) }

// Slugs lists the slugs in the same order.
func (in *Industries) Slugs() []Industry {
	slugs := make([]Industry, len(in.files))
	for i, f := range in.files {
		slugs[i] = f.Slug
	}
	return slugs
}

// File returns the file of an industry.
func (in *Industries) File(i Industry) (IndustryFile, bool) {
	at := slices.IndexFunc(in.files, func(f IndustryFile) bool { return f.Slug == i })
	if at < 0 {
		return IndustryFile{}, false
	}
	return in.files[at], true
}

// Of returns the tenant with its industry looked up in these files. A tenant that is not given to
// Of knows the built-in ones.
func (in *Industries) Of(t Tenant) Tenant {
	if in.added { // so that tenants can be compared where the operator added nothing
		t.industries = in
	}
	return t
}

// known are the files in which the tenant's industry is looked up.
func (t Tenant) known() *Industries { return cmp.Or(t.industries, BuiltinIndustries()) }

// File is the file of the tenant's industry. For one that has none the strictest rules hold.
func (t Tenant) File() IndustryFile {
	if f, ok := t.known().File(t.Industry); ok {
		return f
	}
	return unknownIndustry(t.Industry)
}

// Rules are the rules that hold for the tenant: those of its industry, with its own changes as far
// as the industry allows them.
func (t Tenant) Rules() Rules { return t.File().Rules.With(t.Changes) }

// Opaque is Rules().Opaque() without the rest, for each push.
func (t Tenant) Opaque() bool {
	rule := t.File().Rules.Payload
	if t.Changes != nil && t.Changes.Payload != nil && (!rule.Law || stricterPayload(*t.Changes.Payload, rule.Value)) {
		return *t.Changes.Payload == PayloadOpaque
	}
	return rule.Value == PayloadOpaque
}
