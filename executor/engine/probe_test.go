package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOpenAcceptsOnlyUnixSockets(t *testing.T) {
	for host, ok := range map[string]bool{
		"unix:///var/run/docker.sock": true,
		"unix://relative.sock":        false,
		"unix://":                     false,
		"":                            false,
		"/var/run/docker.sock":        false,
		"tcp://127.0.0.1:2375":        false,
		"http://127.0.0.1":            false,
		"npipe:////./pipe/docker":     false,
	} {
		e, err := Open(host, DefaultLimits())
		if (err == nil) != ok {
			t.Errorf("%q: %v", host, err)
		}
		if err != nil && !strings.Contains(err.Error(), "unix:///var/run/docker.sock") {
			t.Errorf("%q: the message shows no good value: %v", host, err)
		}
		if e != nil {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestOpenRefusesLimitsThatAreNotPositive(t *testing.T) {
	l := DefaultLimits()
	l.PullIdle = 0
	if _, err := Open("unix:///s", l); err == nil || !strings.Contains(err.Error(), "pull_idle") {
		t.Errorf("error %v does not name the limit", err)
	}
}

func TestCallsBeforeTheProbeReachNobody(t *testing.T) {
	f := startFake(t, healthy)
	e, err := Open(f.host, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		if err := c.run(t.Context(), e); !errors.Is(err, errNotProbed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got := f.requests(); len(got) != 0 {
		t.Errorf("the daemon got %q", got)
	}
}

func TestProbeAgreesUponTheLowerVersion(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "1.30")
	t.Setenv("DOCKER_HOST", "unix:///nowhere")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	for _, tc := range []struct {
		theirs, want string
		complains    string
	}{
		{theirs: "1.41", want: "1.41"},
		{theirs: "1.47", want: "1.47"},
		{theirs: "1.51", want: "1.51"},
		{theirs: "1.99", want: "1.51"},
		{theirs: "2.0", want: "1.51"},
		{theirs: "1.40", complains: "speaks API 1.40, at least 1.41 (Docker Engine 20.10) is needed"},
		{theirs: "1.9", complains: "at least 1.41"},
		{theirs: "", complains: `Api-Version is ""`},
		{theirs: "latest", complains: `Api-Version is "latest"`},
	} {
		t.Run(tc.theirs, func(t *testing.T) {
			f := startFake(t, func(f *fakeDaemon, conn net.Conn) {
				if r := f.readRequest(conn); r != nil && r.URL.Path == "/_ping" {
					text := strings.Replace(answer(200, "text/plain", "OK"), "1.41", tc.theirs, 1)
					io.WriteString(conn, text) //nolint:errcheck // the client may be gone
				} else if r != nil {
					io.WriteString(conn, jsonAnswer(200, `{"ServerVersion":"v","KernelVersion":"k"}`)) //nolint:errcheck // the client may be gone
				}
			})
			e, err := Open(f.host, fakeLimits(10*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			info, err := e.Probe(t.Context())
			if tc.complains != "" {
				if err == nil || !strings.Contains(err.Error(), tc.complains) {
					t.Errorf("error %v does not say %q", err, tc.complains)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Info{ServerVersion: "v", KernelVersion: "k", APIVersion: tc.want}
			if !cmp.Equal(info, want) {
				t.Errorf("got %+v, want %+v", info, want)
			}
			if got := f.requests(); len(got) != 2 || got[1] != "GET /v"+tc.want+"/info" {
				t.Errorf("requests %q", got)
			}
		})
	}
}

func TestInfoIsKeptSmall(t *testing.T) {
	const said = `{"ServerVersion":"v","KernelVersion":"k","DockerRootDir":"/data","LiveRestoreEnabled":true,"LoggingDriver":"json-file","NGoroutines":46,"NFd":29,` +
		`"ContainersRunning":3,"Warnings":[%s],"Plugins":{"Volume":["local"]}}`
	long := `"WARNING: ` + strings.Repeat("x", 1000) + `"`
	for warnings, want := range map[string][]string{
		`"WARNING: No swap\nlimit"`:          {"WARNING: No swap limit"},
		strings.Repeat(long+",", 100) + long: slices.Repeat([]string{"WARNING: " + strings.Repeat("x", maxText-9)}, maxWarnings),
	} {
		f := startFake(t, nil)
		f.become(func(f *fakeDaemon, conn net.Conn) {
			if r := f.readRequest(conn); r != nil && r.URL.Path != "/_ping" {
				io.WriteString(conn, jsonAnswer(200, fmt.Sprintf(said, warnings))) //nolint:errcheck // the client may be gone
			} else {
				io.WriteString(conn, answer(200, "text/plain", "OK")) //nolint:errcheck // the client may be gone
			}
		})
		e, err := Open(f.host, fakeLimits(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Probe(t.Context())
		full := Info{ServerVersion: "v", KernelVersion: "k", APIVersion: "1.41", DockerRootDir: "/data", LiveRestoreEnabled: true,
			NGoroutines: 46, NFd: 29, ContainersRunning: 3, LoggingDriver: "json-file", Warnings: want}
		if diff := cmp.Diff(full, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// What a storage driver says of itself came in several forms over the years: none, pairs, and more or fewer texts than two.
func TestDriverStatusIsReadInAllItsForms(t *testing.T) {
	long := `["` + strings.Repeat("x", 1000) + `","a\nb"]`
	for said, want := range map[string][][2]string{
		`null`: nil,
		`[]`:   {},
		`[["Backing Filesystem","extfs"],["Supports d_type","true"]]`: {{"Backing Filesystem", "extfs"}, {"Supports d_type", "true"}},
		`[["driver-type","io.containerd.snapshotter.v1"]]`:            {{"driver-type", "io.containerd.snapshotter.v1"}},
		`[["alone"],[],["a","b","c"]]`:                                {{"alone"}, {}, {"a", "b"}},
		"[" + strings.Repeat(long+",", 100) + long + "]":              slices.Repeat([][2]string{{strings.Repeat("x", maxText), "a b"}}, maxStatus),
	} {
		f := startFake(t, nil)
		f.become(func(f *fakeDaemon, conn net.Conn) {
			if r := f.readRequest(conn); r != nil && r.URL.Path != "/_ping" {
				io.WriteString(conn, jsonAnswer(200, `{"ServerVersion":"v","KernelVersion":"k","Driver":"d","DriverStatus":`+said+`}`)) //nolint:errcheck // the client may be gone
			} else {
				io.WriteString(conn, answer(200, "text/plain", "OK")) //nolint:errcheck // the client may be gone
			}
		})
		e, err := Open(f.host, fakeLimits(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Probe(t.Context())
		if diff := cmp.Diff(want, got.DriverStatus); err != nil || diff != "" {
			t.Errorf("%.60s: %v (-want +got):\n%s", said, err, diff)
		}
	}
}

func TestBadProbeDoesNotSpoilTheNext(t *testing.T) {
	headerless := strings.Replace(answer(200, "text/plain", "OK"), "Api-Version: 1.41\r\n", "", 1)
	for name, bad := range map[string]behaviour{
		"hang": hang, "cut": cutAfterReading, "no version": say(headerless), "silent": sayAndHang("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
		"500": say(jsonAnswer(500, `{"message":"in trouble"}`)), "html": say(answer(200, "text/html", "<html>")),
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, bad)
			e, err := Open(f.host, fakeLimits(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			if name != "html" { // that one has a version, and info finds it out
				if _, err := e.Probe(t.Context()); err == nil {
					t.Fatal("no error")
				}
				if err := e.Start(t.Context(), someID); !errors.Is(err, errNotProbed) {
					t.Errorf("start after a failed probe: %v", err)
				}
			}
			f.become(healthy)
			info, err := e.Probe(t.Context())
			if err != nil || info.APIVersion != "1.41" {
				t.Errorf("probe of the recovered daemon: %+v, %v", info, err)
			}
		})
	}
}

func TestMessagesTellWhatHappened(t *testing.T) {
	for _, tc := range []struct {
		err  CallError
		want string
	}{
		{CallError{Call: "create", Outcome: Unknown, mutates: true, Took: 2 * time.Minute, Err: context.DeadlineExceeded},
			"docker create: not finished within 2m0s (it may still take effect)"},
		{CallError{Call: "inspect", Outcome: Unknown, Took: 30 * time.Second, Err: context.DeadlineExceeded},
			"docker inspect: not finished within 30s"},
		{CallError{Call: "start", Outcome: Unknown, mutates: true, Took: time.Second, Err: context.Canceled},
			"docker start: given up after 1s (it may still take effect)"},
		{CallError{Call: "start", Outcome: Refused, mutates: true, Err: &DaemonError{Status: 400, Message: "no such command"}},
			"docker start: the daemon refused (400): no such command"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestOutcomeOfForeignErrorsIsUnknown(t *testing.T) {
	if got := OutcomeOf(errors.New("x")); got != Unknown {
		t.Errorf("got %v", got)
	}
	if got := OutcomeOf(nil); got != Done {
		t.Errorf("got %v", got)
	}
}
