package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"path"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// Prefix is the path under which the files are served.
const Prefix = "/static/"

//go:embed *.css *.js *.svg *.png *.woff2
var folder embed.FS

// Asset is one file as it is sent.
type Asset struct {
	Content  []byte // shared and read only
	Type     string // media type with charset
	Encoding string // "", "gzip" or "br"
	ETag     string // quoted, differs by encoding
}

// file is one embedded file. Its compressed forms are made when first needed.
type file struct {
	hashed string
	media  string
	plain  []byte
	gzip   func() []byte
	brotli func() []byte
}

// byName holds all files, by plain name and by hashed name.
var byName = load()

// Path returns the address of a file, such as "/static/app.3f2a91c04b.css" for "app.css". An
// unknown name is returned without a hash and leads to a 404; a test checks every name that pages
// use.
func Path(name string) string {
	if f, ok := byName[name]; ok {
		return Prefix + f.hashed
	}
	return Prefix + name
}

// Open returns a file by its hashed name, the part after Prefix. Plain names are refused, so that
// nothing without a hash is cached forever. accept is the Accept-Encoding header; the smallest
// allowed form is returned.
func Open(name, accept string) (Asset, bool) {
	f, ok := byName[name]
	if !ok || f.hashed != name {
		return Asset{}, false
	}
	a := Asset{Content: f.plain, Type: f.media}
	if f.gzip != nil {
		switch {
		case allows(accept, "br"):
			a.Content, a.Encoding = f.brotli(), "br"
		case allows(accept, "gzip"):
			a.Content, a.Encoding = f.gzip(), "gzip"
		}
	}
	a.ETag = `"` + strings.TrimSuffix("static-"+digest(f.plain)+"-"+a.Encoding, "-") + `"`
	return a, true
}

// Names lists the plain names of all files.
func Names() []string {
	var names []string
	for name, f := range byName {
		if f.hashed != name {
			names = append(names, name)
		}
	}
	return names
}

// load reads the folder: other files first, then the style sheets, whose "asset:NAME" addresses
// need the hashes of the others.
func load() map[string]*file {
	files := map[string]*file{}
	entries, err := folder.ReadDir(".")
	if err != nil {
		return files // an embedded folder always reads
	}
	for _, css := range []bool{false, true} {
		for _, entry := range entries {
			name := entry.Name()
			if (path.Ext(name) == ".css") != css {
				continue
			}
			body, err := folder.ReadFile(name)
			if err != nil {
				continue
			}
			if css {
				body = resolve(body, files)
			}
			f := newFile(name, body)
			files[name], files[f.hashed] = f, f
		}
	}
	return files
}

// resolve replaces every asset:NAME by the hashed file name.
func resolve(css []byte, files map[string]*file) []byte {
	for name, f := range files {
		css = bytes.ReplaceAll(css, []byte("asset:"+name), []byte(f.hashed))
	}
	return css
}

func newFile(name string, body []byte) *file {
	ext := path.Ext(name)
	f := &file{
		hashed: strings.TrimSuffix(name, ext) + "." + digest(body) + ext,
		media:  media[ext],
		plain:  body,
	}
	if ext != ".woff2" && ext != ".png" { // already compressed
		f.gzip = sync.OnceValue(func() []byte { return gzipped(body) })
		f.brotli = sync.OnceValue(func() []byte { return brotlied(body) })
	}
	return f
}

var media = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])[:10]
}

// allows reads an Accept-Encoding header (RFC 9110 section 12.5.3): the coding must be named and
// not given q=0.
func allows(accept, coding string) bool {
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q := strings.ReplaceAll(params, " ", "")
		return q != "q=0" && !strings.HasPrefix(q, "q=0.000")
	}
	return false
}

func gzipped(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return body // the level is a constant in range
	}
	_, _ = w.Write(body) // a bytes.Buffer never fails
	_ = w.Close()
	return out.Bytes()
}

func brotlied(body []byte) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, 9)
	_, _ = w.Write(body)
	_ = w.Close()
	return out.Bytes()
}
