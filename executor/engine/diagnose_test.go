package engine

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reaction is what a daemon writes, and whether it leaves the connection open then.
type reaction struct {
	text  string
	hangs bool
}

// reacting reacts as told to requests by the last part of their path, and healthily to the others.
func reacting(to map[string]reaction) behaviour {
	well := map[string]reaction{
		"_ping": {text: answer(200, "text/plain", "OK")},
		"info":  {text: jsonAnswer(200, `{"ServerVersion":"v","KernelVersion":"k"}`)},
		"json":  {text: jsonAnswer(200, inspected)},
	}
	return func(f *fakeDaemon, conn net.Conn) {
		r := f.readRequest(conn)
		if r == nil {
			return
		}
		name := filepath.Base(r.URL.Path)
		how, told := to[name]
		if !told {
			how = well[name]
		}
		io.WriteString(conn, how.text) //nolint:errcheck // the client may be gone
		if how.hangs {
			f.hang(conn)
		}
	}
}

func TestDiagnosis(t *testing.T) {
	html := reaction{text: answer(502, "text/html", "<html>Bad Gateway</html>")}
	for _, tc := range []struct {
		name      string
		to        map[string]reaction
		container string
		want      Health
		requests  int
		says      string
	}{
		{"healthy", nil, someID, Healthy, 3, "healthy"},
		{"healthy without a container", nil, "", Healthy, 2, "healthy"},
		{"no such container", map[string]reaction{"json": {text: jsonAnswer(404, `{"message":"No such container: x"}`)}}, someID, Healthy, 3, "healthy"},
		{"ping hangs", map[string]reaction{"_ping": {hangs: true}}, someID, Hung, 1, "restart it"},
		{"ping is silent after its headers", map[string]reaction{"_ping": {text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", hangs: true}}, someID, Hung, 1, "kill -USR1"},
		{"ping is cut off", map[string]reaction{"_ping": {}}, someID, Unusable, 1, "check that it is a Docker daemon"},
		{"a proxy", map[string]reaction{"_ping": html}, someID, Unusable, 1, "502"},
		{"too old", map[string]reaction{"_ping": {text: "HTTP/1.1 200 OK\r\nApi-Version: 1.24\r\nContent-Length: 0\r\n\r\n"}}, someID, Unusable, 1, "upgrade it to Docker Engine 20.10"},
		{"info hangs", map[string]reaction{"info": {hangs: true}}, someID, RuntimeStuck, 2, "restart containerd"},
		{"info fails", map[string]reaction{"info": {text: jsonAnswer(500, `{"message":"containerd: unavailable"}`)}}, someID, RuntimeStuck, 2, "unavailable"},
		{"info is nonsense", map[string]reaction{"info": {text: jsonAnswer(200, `{}`)}}, someID, Unusable, 2, "lacks"},
		{"inspect hangs", map[string]reaction{"json": {hangs: true}}, someID, ContainerWedged, 3, someID},
		{"inspect is nonsense", map[string]reaction{"json": {text: jsonAnswer(200, `null`)}}, someID, Unusable, 3, "describes no container"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			limits := fakeLimits(10 * time.Second)
			if tc.want == Hung || tc.want == RuntimeStuck || tc.want == ContainerWedged {
				limits.Ping, limits.Info, limits.InspectPoll = 500*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond
			}
			f := startFake(t, reacting(tc.to))
			e, err := Open(f.host, limits)
			if err != nil {
				t.Fatal(err)
			}
			d := e.Diagnose(t.Context(), tc.container)
			if d.Health != tc.want || (d.Err == nil) != (tc.want == Healthy) || !strings.Contains(d.String(), tc.says) {
				t.Errorf("%v, want %v: %v", d.Health, tc.want, d)
			}
			if means := e.Explain(t.Context(), d.Err); tc.requests < 3 && means.Health != d.Health || means.Err != nil {
				t.Errorf("explained as %v: %v", means.Health, means)
			}
			if got := f.requests(); len(got) != tc.requests {
				t.Errorf("requests %q, want %d", got, tc.requests)
			}
			if _, err := e.docker(); (err == nil) != (tc.want == Healthy || tc.want == ContainerWedged || tc.container != "" && tc.requests == 3) {
				t.Errorf("after the diagnosis: %v", err)
			}
		})
	}
}

func TestDiagnosisOfAnAbsentDaemon(t *testing.T) {
	f := startFake(t, healthy)
	e := openFake(t, f, fakeLimits(10*time.Second))
	path := strings.TrimPrefix(f.host, "unix://")
	for _, spoil := range []func() error{
		func() error { // nobody listens on the socket
			if err := os.Rename(path, path+"2"); err != nil {
				return err
			}
			f.listener.Close()
			return os.Rename(path+"2", path)
		},
		func() error { return os.Remove(path) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if d := e.Diagnose(t.Context(), someID); d.Health != Down || !strings.Contains(d.String(), "systemctl start docker") {
			t.Errorf("%v: %v", d.Health, d)
		}
	}
}

func TestDiagnosisThatWasGivenUpSaysNothing(t *testing.T) {
	f := startFake(t, hang)
	e := openFake(t, f, fakeLimits(time.Minute))
	asked := len(f.requests())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		eventually(func() bool { return len(f.requests()) > asked })
		cancel()
	}()
	if d := e.Diagnose(ctx, someID); d.Health != Undiagnosed {
		t.Errorf("%v: %v", d.Health, d)
	}
}
