//go:build acceptance

package main

import (
	"archive/tar"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// redirecting is a standby master: everything is answered with 307 and the leader's address, without a scheme as Mesos does.
func redirecting(t *testing.T, leader string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "//"+leader+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// archive writes a tar with one file.
func archive(w io.Writer, name, content string) {
	a := tar.NewWriter(w)
	a.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
	io.WriteString(a, content)
	a.Close()
}
