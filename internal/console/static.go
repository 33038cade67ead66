package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed static templates
var files embed.FS

// hashes are the contents of the static files, hashed. :: file → hash
var hashes = sync.OnceValue(func() map[string]string { //nolint:gochecknoglobals // the files are constants
	all := map[string]string{}
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		b, err := files.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		all[e.Name()] = hex.EncodeToString(sum[:6])
	}
	return all
})

// staticPath is where a static file is. The address changes with the content, so
// browsers may keep it.
func staticPath(name string) string { return "/static/" + name + "?v=" + hashes()[name] }

func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.PathValue("name"))
	hash, known := hashes()[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("v") == hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		w.Header().Set("Cache-Control", "no-cache") // modules name one another without a hash
	}
	w.Header().Set("ETag", `"`+hash+`"`)
	kind := mime.TypeByExtension(path.Ext(name))
	if strings.HasSuffix(name, ".js") {
		kind = "text/javascript; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	if r.Header.Get("If-None-Match") == `"`+hash+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	b, _ := files.ReadFile("static/" + name) // known
	_, _ = w.Write(b)                        //nolint:gosec // a file of ours; and a browser that has gone needs no answer
}
