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

// Prefix is where the files are mounted.
const Prefix = "/static/"

//go:embed *.css *.js *.svg *.png *.woff2
var folder embed.FS

// Asset is one file as it goes over the wire.
type Asset struct {
	Content  []byte // shared and read only
	Type     string // media type with charset
	Encoding string // "", "gzip" or "br"
	ETag     string // quoted, differs by encoding
}

// file is one embedded file. Its packed forms are made when first asked for.
type file struct {
	hashed string
	media  string
	plain  []byte
	gzip   func() []byte
	brotli func() []byte
}

// shelf is the table of all files, by plain name and by hashed name.
var shelf = load()

// Path gives the address of a file, such as "/static/app.3f2a91c04b.css" for "app.css". An unknown
// name is answered without a hash, and the browser will meet a 404: a test walks every name the
// pages use.
func Path(name string) string {
	if f, ok := shelf[name]; ok {
		return Prefix + f.hashed
	}
	return Prefix + name
}

// Open finds a file by the name that follows Prefix, hashed names only, so that nothing unhashed is
// ever cached for ever. accept is the request's Accept-Encoding header; the smallest form it allows
// is chosen.
func Open(name, accept string) (Asset, bool) {
	f, ok := shelf[name]
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
	for name, f := range shelf {
		if f.hashed != name {
			names = append(names, name)
		}
	}
	return names
}

// load reads the folder: leaves first, then the style sheets, whose "asset:NAME" addresses need the
// leaves' hashes.
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
			f := shelve(name, body)
			files[name], files[f.hashed] = f, f
		}
	}
	return files
}

// resolve replaces every asset:NAME by the hashed name beside which the style sheet is served.
func resolve(css []byte, files map[string]*file) []byte {
	for name, f := range files {
		css = bytes.ReplaceAll(css, []byte("asset:"+name), []byte(f.hashed))
	}
	return css
}

func shelve(name string, body []byte) *file {
	ext := path.Ext(name)
	f := &file{
		hashed: strings.TrimSuffix(name, ext) + "." + digest(body) + ext,
		media:  media[ext],
		plain:  body,
	}
	if ext != ".woff2" && ext != ".png" { // packed already
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
	_, _ = w.Write(body) // a bytes.Buffer never refuses
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
