package hostcheck

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/storage"
)

// server answers at a socket of its own in the place of an engine.
func server(t *testing.T, answer http.HandlerFunc) Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(answer)
	s.Listener.Close()
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	file := settings(t, &enginetest.Engine{Host: "unix://" + path})
	file.Engine.Limits.Ping, file.Engine.Limits.Info = 200*time.Millisecond, 200*time.Millisecond
	return options(file)
}

// untilGone holds an answer back for as long as somebody waits for it.
func untilGone(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestDaemonThatAnswersNothing(t *testing.T) {
	all := within(t, lookLimit, server(t, untilGone))
	if line := find(t, all, "engine", "daemon"); line.Status != Fail || !strings.Contains(line.Text, "does not answer") {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "engine", "answers"); line.Status != Fail || !strings.HasPrefix(line.Text, "ping failed after ") || strings.Contains(line.Text, "info") {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "storage", "driver"); line.Status != Warn || !strings.Contains(line.Text, "not known") {
		t.Errorf("%+v", line)
	}
}

func TestStorageIsLookedAtByWhatTheEngineSaidBefore(t *testing.T) {
	o := server(t, untilGone)
	file, _ := o.Config()
	gate := admission.New(admission.Options{Dir: filepath.Join(file.RunDirectory, "engine"), Engine: file.Engine.Host})
	root := t.TempDir()
	said := storage.Known{Engine: storage.Engine{Driver: "overlay2", DockerRootDir: root}, At: time.Now().Add(-time.Hour)}
	text, err := said.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := gate.Keep(func([]byte) []byte { return text }); err != nil {
		t.Fatal(err)
	}
	all := within(t, lookLimit, o)
	if line := find(t, all, "storage", "answer"); line.Status != Warn || !strings.Contains(line.Text, "by what it told an executor at "+said.At.UTC().Format(time.RFC3339)) {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "storage", "room"); line.Status != OK || !strings.Contains(line.Text, root) {
		t.Errorf("%+v", line)
	}
}

func TestBreakerThatCannotBeReadIsNotClosed(t *testing.T) {
	o := server(t, untilGone)
	file, _ := o.Config()
	folder := filepath.Join(file.RunDirectory, "engine")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if line := find(t, within(t, lookLimit, o), "engine", "breaker"); line.Status != Warn || !strings.Contains(line.Text, "not known") {
		t.Errorf("%+v", line)
	}
}

func TestPingIsNotHealth(t *testing.T) {
	o := server(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Api-Version", "1.41")
			io.WriteString(w, "OK") //nolint:errcheck // the client sees it
			return
		}
		untilGone(w, r)
	})
	all := within(t, lookLimit, o)
	if line := find(t, all, "engine", "daemon"); line.Status != Fail || !strings.Contains(line.Text, "waits for its runtime") {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "engine", "answers"); line.Status != Fail || !strings.HasPrefix(line.Text, "ping in ") || !strings.Contains(line.Text, "info failed after ") {
		t.Errorf("%+v", line)
	}
}

func TestDaemonThatIsTooOld(t *testing.T) {
	all := within(t, lookLimit, server(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.24") }))
	if line := find(t, all, "engine", "daemon"); line.Status != Fail || !strings.Contains(line.Text, "speaks API 1.24, at least 1.41") || !strings.HasPrefix(line.Remedy, "upgrade it") {
		t.Errorf("%+v", line)
	}
}

// A file system that hangs keeps the readers of config.yaml, too.
func TestFilesThatHangAreALineAndNoMore(t *testing.T) {
	o, hang := options(settings(t, private)), make(chan struct{})
	defer close(hang)
	o.Config = func() (config.File, error) { <-hang; return config.File{}, nil }
	o.Operator = func(config.File) Operator { <-hang; return Operator{} }
	all := look(t.Context(), o, limits{config: 50 * time.Millisecond, engine: engineLimit, look: time.Second})
	if line := find(t, all, "files", "look-up"); line.Status != Fail || !strings.Contains(line.Text, "not finished within") {
		t.Errorf("%+v", line)
	}
	if all[0].Name != "config" || !strings.Contains(all[0].Text, config.Default().Engine.Host) {
		t.Errorf("nothing says that this is another engine: %+v", all[0])
	}
	find(t, all, "engine", "daemon")
	find(t, all, "kernel", "version")
}

func TestWrongConfigIsNamedBeforeTheEngineThatIsLookedAtInstead(t *testing.T) {
	o := options(settings(t, private))
	o.Config = func() (config.File, error) { return config.File{}, errors.New("wrong") }
	all := within(t, lookLimit, o)
	if all[0].Subject != "engine" || all[0].Name != "config" || all[0].Status != Warn || !strings.Contains(all[0].Text, config.Default().Engine.Host) {
		t.Errorf("%+v", all[0])
	}
}
