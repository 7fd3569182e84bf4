package hostcheck

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
)

// expect compares lines with what is written as "status name: part of the text", and wants a remedy for each that is not ok and for no other.
func expect(t *testing.T, got Lines, want ...string) {
	t.Helper()
	for i, line := range got {
		if (line.Status == OK) != (line.Remedy == "") {
			t.Errorf("%s %s has the remedy %q", line.Status, line.Name, line.Remedy)
		}
		said := line.Status.String() + " " + line.Name + ": " + line.Text
		if i >= len(want) {
			t.Errorf("and %s", said)
			continue
		}
		head, part, _ := strings.Cut(want[i], ": ")
		if !strings.HasPrefix(said, head+": ") || !strings.Contains(line.Text, part) {
			t.Errorf("%d. %s\n   not %s", i, said, want[i])
		}
	}
	if len(got) < len(want) {
		t.Errorf("missing: %q", want[len(got):])
	}
}

// changed is lines with others in some places.
func changed(lines []string, other map[int]string) []string {
	lines = slices.Clone(lines)
	for at, line := range other {
		lines[at] = line
	}
	return lines
}

// healthy is an engine as Debian's was found.
func healthy() Engine {
	return Engine{
		Diagnosis: engine.Diagnosis{Health: engine.Healthy, Host: "unix:///run/docker.sock", Dockerd: engine.Process{Name: "dockerd", PID: 612, State: "S"}},
		Calls:     []engine.CallRecord{{Call: "ping", Took: time.Millisecond}, {Call: "info", Took: 14 * time.Millisecond}},
		Info: engine.Info{ServerVersion: "20.10.24+dfsg1", APIVersion: "1.41", CgroupDriver: "cgroupfs", CgroupVersion: "1", LiveRestoreEnabled: true, LoggingDriver: "json-file",
			NGoroutines: 64, NFd: 41, ContainersRunning: 2},
		Files: Files{Open: 41, Limit: 1048576},
	}
}

func TestEngine(t *testing.T) {
	call := func(name string, err error) error {
		return &engine.CallError{Call: name, Outcome: engine.Unknown, Took: 5 * time.Second, Limit: 5 * time.Second, Err: err}
	}
	fit := []string{
		"ok daemon: Docker Engine 20.10.24+dfsg1, API 1.41 at unix:///run/docker.sock, dockerd (pid 612, state S)",
		"ok answers: ping in 1ms, info in 14ms",
		"ok cgroup driver: cgroupfs, cgroup v1",
		"ok log driver: json-file",
		"ok live-restore: on",
		"ok load: 64 goroutines with 2 running containers, 41 of 1048576 files open",
		"ok breaker: closed",
	}
	with := func(other map[int]string) []string { return changed(fit, other) }
	for _, c := range []struct {
		name   string
		change func(*Engine)
		want   []string
	}{
		{"all is well", func(*Engine) {}, fit},
		{"slow", func(e *Engine) { e.Calls[0].Took, e.Calls[1].Took = 1500*time.Millisecond, 3*time.Second },
			with(map[int]string{1: "warn answers: ping in 1.5s, which is slow, info in 3s, which is slow"})},
		{"systemd", func(e *Engine) { e.Info.CgroupDriver = "systemd" }, with(map[int]string{2: "warn cgroup driver: systemd, cgroup v1: the agent cannot end"})},
		{"rootless", func(e *Engine) { e.Info.CgroupDriver = "none" }, with(map[int]string{2: `fail cgroup driver: "none": no task can be placed`})},
		{"no live-restore", func(e *Engine) { e.Info.LiveRestoreEnabled = false }, with(map[int]string{4: "warn live-restore: off: a restart of dockerd ends all tasks"})},
		{"calls that hang", func(e *Engine) { e.Info.NGoroutines = 1101 }, with(map[int]string{5: "warn load: more than 1100 goroutines"})},
		{"at the most goroutines", func(e *Engine) { e.Info.NGoroutines = 1100 }, with(map[int]string{5: "ok load: 1100 goroutines"})},
		{"few files left", func(e *Engine) { e.Files = Files{Open: 820, Limit: 1024} }, with(map[int]string{5: "warn load: it will run out of files"})},
		{"files that cannot be seen", func(e *Engine) { e.Files = Files{} }, with(map[int]string{5: "ok load: 64 goroutines with 2 running containers, 41 files open"})},
		{"an open breaker", func(e *Engine) {
			e.Open, e.Breaker = true, admission.State{Phase: admission.Open, Failures: 3, Cause: "docker info: not finished within 10s", Changed: time.Unix(0, 0)}
		}, with(map[int]string{6: "warn breaker: open since 1970-01-01T00:00:00Z, 3 failures: docker info: not finished within 10s"})},
		{"frozen", func(e *Engine) {
			*e = Engine{Diagnosis: e.Diagnosis, Files: e.Files}
			e.Diagnosis.Health, e.Diagnosis.Dockerd.State = engine.Frozen, "T"
		}, []string{"fail daemon: dockerd (pid 612, state T) is stopped", "ok load: 41 of 1048576 files open", "ok breaker: closed"}},
		{"containerd hangs", func(e *Engine) {
			e.Diagnosis.Health, e.Diagnosis.Err = engine.RuntimeStuck, call("info", context.DeadlineExceeded)
			e.Diagnosis.Containerd = engine.Process{Name: "containerd", PID: 620, State: "T"}
			e.Calls[1] = engine.CallRecord{Call: "info", Took: 10 * time.Second, Error: "not finished within 10s"}
			e.Info, e.Files = engine.Info{}, Files{}
		}, []string{"fail daemon: containerd (pid 620, state T) is stopped (docker info: not finished within 5s)", "fail answers: ping in 1ms, info failed after 10s", "ok breaker: closed"}},
		{"down", func(e *Engine) {
			*e = Engine{Diagnosis: engine.Diagnosis{Health: engine.Down, Host: "unix:///run/docker.sock", Dockerd: engine.Process{Name: "dockerd"}}}
		}, []string{"fail daemon: the Docker daemon at unix:///run/docker.sock is down", "ok breaker: closed"}},
		{"too old", func(e *Engine) {
			*e = Engine{Diagnosis: engine.Diagnosis{Health: engine.Unusable, Host: "unix:///run/docker.sock",
				Err: call("ping", errors.New("the daemon speaks API 1.24, at least 1.41 is needed: upgrade it"))}}
		}, []string{"fail daemon: what listens at unix:///run/docker.sock is unusable (docker ping: the daemon speaks API 1.24, at least 1.41 is needed: upgrade it)", "ok breaker: closed"}},
		{"given up", func(e *Engine) {
			*e = Engine{Diagnosis: engine.Diagnosis{Host: "unix:///run/docker.sock", Err: call("ping", context.DeadlineExceeded)}}
		},
			[]string{"fail daemon: was not diagnosed to the end (docker ping: not finished within 5s)", "ok breaker: closed"}},
		{"no log", func(e *Engine) { e.Info.LoggingDriver = "none" }, with(map[int]string{3: "warn log driver: none: what tasks write while dockerd restarts is lost"})},
		{"a log elsewhere", func(e *Engine) { e.Info.LoggingDriver = "syslog" }, with(map[int]string{3: `warn log driver: "syslog": no test runs it`})},
		{"a breaker that cannot be read", func(e *Engine) { e.Unshared = errors.New("permission denied") }, with(map[int]string{6: "warn breaker: not known"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := healthy()
			c.change(&e)
			expect(t, e.Lines(), c.want...)
		})
	}
}

func TestEngineThatIsDownHasTheDiagnosisRemedy(t *testing.T) {
	e := Engine{Diagnosis: engine.Diagnosis{Health: engine.Frozen, Dockerd: engine.Process{Name: "dockerd", PID: 7, State: "T"}, Err: errors.New("a: b")}}
	line := e.Lines()[0]
	if line.Text != "dockerd (pid 7, state T) is stopped (a: b)" || line.Remedy != "continue it with kill -CONT 7" {
		t.Errorf("%+v", line)
	}
}
