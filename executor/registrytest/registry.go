// Package registrytest is an image registry for tests: a real one (that of go-containerregistry, in memory), in the
// test's own process, that can demand credentials, stall, break and lie on purpose, and that counts what it is asked.
//
// It serves HTTP on a listener that the caller makes, in general inside the network namespace of a private engine
// (enginetest.Engine.Listen): Docker speaks HTTP to registries in 127.0.0.0/8.
//
// A [Registry] owns its server and listener until [Registry.Close], which [Start] registers with the test; answers that
// stall on purpose end with it. All methods may be called from any goroutine, also while it serves.
package registrytest

import (
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Kind tells the requests of a pull apart.
type Kind string

// The kinds of requests.
const (
	Ping     Kind = "ping"     // GET /v2/
	Token    Kind = "token"    // of the registry's token server
	Manifest Kind = "manifest" // GET or HEAD of a manifest
	Blob     Kind = "blob"     // GET or HEAD of a configuration or layer
)

// Registry is a running registry.
type Registry struct {
	Host string // "127.0.0.1:port", as it stands in image references

	images  http.Handler
	server  *http.Server
	ended   chan struct{} // closed when the server's goroutine has ended
	closing chan struct{} // lets stalled answers go
	once    sync.Once

	mu     sync.Mutex
	faults map[Kind]*fault
	access access
	asked  []Request
}

// Request is a request that the registry got.
type Request struct {
	Kind   Kind
	Path   string // of the URL
	Caller string // "" for none, else "Basic USER" or "Bearer"; never the secret
}

type fault struct {
	do    Fault
	times int // that it still happens; negative for ever
}

// Start serves a registry without images on listener, until the end of the test at the latest.
func Start(t testing.TB, listener net.Listener) *Registry {
	t.Helper()
	r := &Registry{
		Host:    listener.Addr().String(),
		images:  registry.New(registry.Logger(log.New(io.Discard, "", 0))),
		ended:   make(chan struct{}),
		closing: make(chan struct{}),
		faults:  map[Kind]*fault{},
	}
	r.server = &http.Server{Handler: r, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(r.ended)
		r.server.Serve(listener) //nolint:errcheck // ends by Close
	}()
	t.Cleanup(r.Close)
	return r
}

// Close ends the server and every answer under way. It may be called any number of times.
func (r *Registry) Close() {
	r.once.Do(func() { close(r.closing) })
	r.server.Close()
	<-r.ended
}

// Break makes the next times requests of a kind fail; negative is for ever, or until the next Break of the kind.
func (r *Registry) Break(kind Kind, times int, f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults[kind] = &fault{f, times}
}

// Requests returns what was asked so far, of the given kind.
func (r *Registry) Requests(kind Kind) []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Request
	for _, one := range r.asked {
		if one.Kind == kind {
			found = append(found, one)
		}
	}
	return found
}

// Count returns how often the object of this digest was asked for by GET.
func (r *Registry) Count(digest string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, one := range r.asked {
		if strings.HasSuffix(one.Path, "/"+digest) {
			n++
		}
	}
	return n
}

// ServeHTTP is the registry's handler: it notes the request, and lets faults and the demand for credentials go first.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	kind := kindOf(req.URL.Path)
	if req.Method != http.MethodHead {
		r.mu.Lock()
		r.asked = append(r.asked, Request{kind, req.URL.Path, caller(req)})
		r.mu.Unlock()
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	next := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case kind == Token:
			r.serveToken(w, req)
		case r.admits(w, req):
			r.images.ServeHTTP(w, req)
		}
	}))
	if do := r.fault(kind); do != nil {
		do(w, req, next, r.closing)
		return
	}
	next.ServeHTTP(w, req)
}

// fault takes the fault that the next request of a kind meets; nil if there is none.
func (r *Registry) fault(kind Kind) Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.faults[kind]
	if f == nil || f.times == 0 {
		return nil
	}
	f.times--
	return f.do
}

func kindOf(path string) Kind {
	switch {
	case path == tokenPath:
		return Token
	case strings.Contains(path, "/manifests/"):
		return Manifest
	case strings.Contains(path, "/blobs/"):
		return Blob
	}
	return Ping
}
