//go:build acceptance

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeDocker answers as much of the Docker API as starting the cluster needs, and fails on demand.
type fakeDocker struct {
	server *httptest.Server
	images map[string]bool
	pull   string // the error in the pull's stream; empty = the pull works
	ended  bool   // the cluster's container ends at once

	mu      sync.Mutex
	created int
	removed int
	config  []byte // archive written over the agent's settings
}

func newFakeDocker(t *testing.T, images ...string) *fakeDocker {
	d := &fakeDocker{images: map[string]bool{}}
	for _, i := range images {
		d.images[i] = true
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.44") })
	mux.HandleFunc("GET /v1.44/images/{name...}", func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimSuffix(r.PathValue("name"), "/json")
		if !d.images[name] {
			http.Error(w, `{"message":"No such image: `+name+`"}`, http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `{"Id":"sha256:1"}`)
	})
	mux.HandleFunc("POST /v1.44/images/create", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, `{"status":"Pulling from mesos/mesos-mini"}`)
		if d.pull != "" {
			json.NewEncoder(w).Encode(map[string]any{"error": d.pull, "errorDetail": map[string]any{"message": d.pull}})
			return
		}
		d.images[r.URL.Query().Get("fromImage")] = true
	})
	mux.HandleFunc("POST /v1.44/containers/create", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.created++
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"Id":"c1"}`)
	})
	mux.HandleFunc("GET /v1.44/containers/c1/archive", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Docker-Container-Path-Stat", "e30=")
		archive(w, "mesos-agent", "MESOS_ISOLATION=namespaces/pid\n")
	})
	mux.HandleFunc("PUT /v1.44/containers/c1/archive", func(_ http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		var b bytes.Buffer
		b.ReadFrom(r.Body)
		d.config = b.Bytes()
	})
	mux.HandleFunc("POST /v1.44/containers/c1/start", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /v1.44/containers/c1/json", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"Id":"c1","State":{"Running":%v,"Status":"exited","ExitCode":255},"NetworkSettings":{"Ports":{}}}`, !d.ended)
	})
	mux.HandleFunc("GET /v1.44/containers/c1/logs", func(w http.ResponseWriter, _ *http.Request) {
		line := "Failed to mount cgroup at /sys/fs/cgroup/systemd\n"
		w.Write(append([]byte{2, 0, 0, 0, 0, 0, 0, byte(len(line))}, line...))
	})
	mux.HandleFunc("DELETE /v1.44/containers/c1", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.removed++
		w.WriteHeader(http.StatusNoContent)
	})
	d.server = httptest.NewServer(mux)
	t.Cleanup(d.server.Close)
	return d
}

func (d *fakeDocker) host() string { return "tcp://" + strings.TrimPrefix(d.server.URL, "http://") }

func executable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mesos-docker-executor")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho mesos-docker-executor version 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWithoutMasterTheReasonIsPreciseAndNothingStays(t *testing.T) {
	const mini, busybox = "mesos/mesos-mini", "busybox:local"
	tests := map[string]struct {
		docker  func(t *testing.T) *fakeDocker
		says    []string
		removed int
	}{
		"no engine": {
			func(*testing.T) *fakeDocker { return nil },
			[]string{"MESOS_MASTER is not set", "no Docker Engine answers at unix:///nonexistent/docker.sock", "set MESOS_MASTER=host:port"}, 0,
		},
		"image neither local nor pullable": {
			func(t *testing.T) *fakeDocker {
				d := newFakeDocker(t, busybox)
				d.pull = "toomanyrequests: rate limit"
				return d
			},
			[]string{"image mesos/mesos-mini is neither on the Docker Engine at tcp://", "toomanyrequests: rate limit"}, 0,
		},
		"no image for the tasks": {
			func(t *testing.T) *fakeDocker { return newFakeDocker(t, mini) },
			[]string{"image busybox:local for the tasks is not on the Docker Engine", "--image"}, 0,
		},
		"cluster ends at once": {
			func(t *testing.T) *fakeDocker {
				d := newFakeDocker(t, busybox)
				d.ended = true
				return d
			},
			[]string{"its container is exited with status 255", "Failed to mount cgroup"}, 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := "unix:///nonexistent/docker.sock"
			d := test.docker(t)
			if d != nil {
				engine = d.host()
			}
			var out, errOut bytes.Buffer
			code := run(t.Context(), []string{"--json", "--engine", engine, "--binary", executable(t)}, func(string) string { return "" }, &out, &errOut)
			if code != exitFailed {
				t.Errorf("exit status %d, want %d", code, exitFailed)
			}
			for _, w := range test.says {
				if !strings.Contains(out.String(), w) {
					t.Errorf("does not say %q: %s", w, out.String())
				}
			}
			if d != nil && (d.removed != test.removed || d.created != test.removed) {
				t.Errorf("%d containers created, %d removed, want %d", d.created, d.removed, test.removed)
			}
			if d != nil && test.removed > 0 && !bytes.Contains(d.config, []byte("namespaces/pid\n\nMESOS_CONTAINERIZERS=docker,mesos")) {
				t.Errorf("the agent's settings were not appended: %q", d.config)
			}
		})
	}
}

func TestUnreachableMasterIsNamed(t *testing.T) {
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"--master", "127.0.0.1:1"}, func(string) string { return "" }, &out, &errOut)
	if code != exitFailed || !strings.Contains(out.String(), "ask the Mesos master at 127.0.0.1:1") {
		t.Errorf("exit status %d: %s", code, out.String())
	}
}

func TestWrongUsage(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"--modes", "both"}, func(string) string { return "" }, &out, &errOut); code != exitUsage || !strings.Contains(errOut.String(), `unknown mode "both"`) {
		t.Errorf("exit status %d: %s", code, errOut.String())
	}
}
