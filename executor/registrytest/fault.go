package registrytest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

// Fault answers a request wrongly. healthy gives the right answer; closing is closed when the registry ends.
type Fault func(w http.ResponseWriter, r *http.Request, healthy http.Handler, closing <-chan struct{})

// Stall sends the first n bytes of the right answer's body and then nothing, until the client goes away. With 0, not
// even the headers are sent.
func Stall(n int) Fault {
	return func(w http.ResponseWriter, r *http.Request, healthy http.Handler, closing <-chan struct{}) {
		begin(w, r, healthy, n)
		select {
		case <-closing:
			cut(w)
		case <-r.Context().Done():
		}
	}
}

// Cut sends the first n bytes of the right answer's body and closes the connection.
func Cut(n int) Fault {
	return func(w http.ResponseWriter, r *http.Request, healthy http.Handler, _ <-chan struct{}) {
		begin(w, r, healthy, n)
		cut(w)
	}
}

func cut(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// Status answers with an HTTP status and an error of the distribution specification; code is one of its codes, such as
// "DENIED" or "MANIFEST_UNKNOWN".
func Status(status int, code, message string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler, _ <-chan struct{}) {
		refuse(w, status, code, message)
	}
}

// Corrupt sends the right answer with its last byte changed.
func Corrupt() Fault {
	return func(w http.ResponseWriter, r *http.Request, healthy http.Handler, _ <-chan struct{}) {
		right := record(r, healthy)
		body := right.Body.Bytes()
		if len(body) > 0 {
			body[len(body)-1] ^= 1
		}
		copyHeaders(w, right)
		w.WriteHeader(right.Code)
		w.Write(body) //nolint:errcheck // the client may be gone
	}
}

// Hold gives the right answer once release is closed.
func Hold(release <-chan struct{}) Fault {
	return func(w http.ResponseWriter, r *http.Request, healthy http.Handler, closing <-chan struct{}) {
		select {
		case <-release:
			healthy.ServeHTTP(w, r)
		case <-closing:
			cut(w)
		case <-r.Context().Done():
		}
	}
}

// begin sends the headers and the first n bytes of the right answer.
func begin(w http.ResponseWriter, r *http.Request, healthy http.Handler, n int) {
	if n == 0 {
		return
	}
	right := record(r, healthy)
	copyHeaders(w, right)
	w.Header().Set("Content-Length", fmt.Sprint(right.Body.Len()))
	w.WriteHeader(right.Code)
	w.Write(right.Body.Next(n))           //nolint:errcheck // the client may be gone
	http.NewResponseController(w).Flush() //nolint:errcheck // the client may be gone
}

func record(r *http.Request, healthy http.Handler) *httptest.ResponseRecorder {
	right := httptest.NewRecorder()
	healthy.ServeHTTP(right, r)
	return right
}

func copyHeaders(w http.ResponseWriter, from *httptest.ResponseRecorder) {
	for name, values := range from.Header() {
		w.Header()[name] = values
	}
}

// refuse answers with an error of the distribution specification.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}
