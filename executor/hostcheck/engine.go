package hostcheck

import (
	"fmt"
	"strings"
	"time"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
)

// Engine is what is known of the Docker engine, from its answers and from /proc.
type Engine struct {
	Diagnosis engine.Diagnosis
	Calls     []engine.CallRecord // what it was asked, in order
	Info      engine.Info         // zero if it did not answer
	Files     Files               // of dockerd
	Breaker   admission.State
	Open      bool  // the breaker
	Unshared  error // why it is not known, and shared by nobody
	// Kept is what the engine told an executor of the host last. The zero value is for nothing.
	Kept storage.Known
}

// Files are the open files of a process. The zero value is for one that could not be looked at.
type Files struct {
	Open, Limit int
}

const (
	// A ping takes a millisecond and an info some 20; a loaded host was seen to take a hundred times that.
	slowPing = time.Second
	slowInfo = 2 * time.Second
	// A healthy daemon has some dozen goroutines for each container, and one more for each call that hangs.
	goroutinesBase, goroutinesEach = 1000, 50
	// manyFiles is the share of its limit, in percent, from which on a daemon may run out of files.
	manyFiles = 80
)

// Lines are about the daemon itself; its storage has lines of its own.
func (e Engine) Lines() Lines {
	l := &lines{subject: "engine"}
	e.daemon(l)
	e.answers(l)
	if e.answered() {
		e.cgroupDriver(l)
		e.logDriver(l)
		e.liveRestore(l)
	}
	e.load(l)
	e.breaker(l)
	return l.all
}

// answered reports whether the daemon said what it is.
func (e Engine) answered() bool { return e.Info.ServerVersion != "" }

func (e Engine) daemon(l *lines) {
	if e.Diagnosis.Health == engine.Healthy {
		text := fmt.Sprintf("Docker Engine %s, API %s at %s", e.Info.ServerVersion, e.Info.APIVersion, e.Diagnosis.Host)
		if e.Diagnosis.Dockerd.PID != 0 {
			text += ", " + e.Diagnosis.Dockerd.String()
		}
		l.ok("daemon", text)
		return
	}
	wrong, remedy := e.Diagnosis.Advice()
	if remedy == "" {
		remedy = "run doctor again, and look at the daemon's log"
	}
	l.fail("daemon", wrong, remedy)
}

// answers says how long they took. A ping says little: a daemon whose containerd hangs answers it, too. A daemon that was not asked,
// as nobody would answer, has no line.
func (e Engine) answers(l *lines) {
	if len(e.Calls) == 0 {
		return
	}
	var said []string
	status := OK
	for _, c := range e.Calls {
		took := c.Took.Round(time.Millisecond)
		switch {
		case c.Running || c.Error != "":
			status = Fail
			said = append(said, fmt.Sprintf("%s failed after %s", c.Call, took))
		case c.Call == "ping" && c.Took > slowPing, c.Took > slowInfo:
			status = max(status, Warn)
			said = append(said, fmt.Sprintf("%s in %s, which is slow", c.Call, took))
		default:
			said = append(said, fmt.Sprintf("%s in %s", c.Call, took))
		}
	}
	remedy := ""
	switch status {
	case Warn:
		remedy = "look at the load of the host and of its disks, and at how many images there are"
	case Fail:
		remedy = "do what the line daemon says"
	case OK:
	}
	l.add(status, "answers", strings.Join(said, ", "), remedy)
}

func (e Engine) cgroupDriver(l *lines) {
	text := fmt.Sprintf("%s, cgroup v%s", e.Info.CgroupDriver, e.Info.CgroupVersion)
	switch e.Info.CgroupDriver {
	case "cgroupfs":
		l.ok("cgroup driver", text)
	case "systemd":
		l.warn("cgroup driver", text+": the agent cannot end a container together with its executor, and no test runs it",
			`on a host without tasks, set "exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json and restart dockerd`)
	default:
		l.fail("cgroup driver", fmt.Sprintf("%q: no task can be placed or found", e.Info.CgroupDriver),
			"run dockerd as root with the cgroup driver cgroupfs")
	}
}

// logDriver is where the executor goes on reading when its connection to dockerd broke.
func (e Engine) logDriver(l *lines) {
	const name, remedy = "log driver", `set "log-driver": "json-file" and "log-opts": {"max-size": "10m", "max-file": "3"} in /etc/docker/daemon.json ` +
		`and restart dockerd on a host without tasks`
	switch driver := e.Info.LoggingDriver; driver {
	case "json-file", "local":
		l.ok(name, driver)
	case "none":
		l.warn(name, "none: what tasks write while dockerd restarts is lost", remedy)
	default:
		l.warn(name, fmt.Sprintf("%q: no test runs it, and what tasks write while dockerd restarts may be lost", driver), remedy)
	}
}

func (e Engine) liveRestore(l *lines) {
	if e.Info.LiveRestoreEnabled {
		l.ok("live-restore", "on: tasks outlive a restart of dockerd")
		return
	}
	l.warn("live-restore", "off: a restart of dockerd ends all tasks",
		`set "live-restore": true in /etc/docker/daemon.json and reload dockerd, which ends nothing: systemctl reload docker`)
}

// load is what grows when calls hang.
func (e Engine) load(l *lines) {
	var said, wrong []string
	if e.answered() {
		said = append(said, fmt.Sprintf("%d goroutines with %d running containers", e.Info.NGoroutines, e.Info.ContainersRunning))
		if most := goroutinesBase + goroutinesEach*e.Info.ContainersRunning; e.Info.NGoroutines > most {
			wrong = append(wrong, fmt.Sprintf("more than %d goroutines: calls hang in it", most))
		}
	}
	switch {
	case e.Files.Limit > 0:
		said = append(said, fmt.Sprintf("%d of %d files open", e.Files.Open, e.Files.Limit))
		if e.Files.Open*100 >= e.Files.Limit*manyFiles {
			wrong = append(wrong, "it will run out of files")
		}
	case e.answered():
		said = append(said, fmt.Sprintf("%d files open", e.Info.NFd))
	}
	switch {
	case len(said) == 0:
	case len(wrong) == 0:
		l.ok("load", strings.Join(said, ", "))
	default:
		restart := "restart dockerd"
		if e.answered() && !e.Info.LiveRestoreEnabled {
			restart += ", which ends all tasks, as live-restore is off"
		}
		l.warn("load", strings.Join(append(said, wrong...), ", "), "take its stacks with kill -USR1, see what they wait for, and "+restart)
	}
}

// breaker is what the executors of the host have seen.
func (e Engine) breaker(l *lines) {
	switch {
	case e.Unshared != nil:
		l.warn("breaker", fmt.Sprintf("not known, and not shared by executors where they cannot read it either: %v", e.Unshared),
			ownAgain(e.Unshared, "a folder that others can change has to be root's again, with mode 0700, and what another version left be removed"))
		return
	case !e.Open:
		l.ok("breaker", "closed: no executor has been in trouble with it of late")
		return
	}
	l.warn("breaker", fmt.Sprintf("open since %s, %d failures: %s", e.Breaker.Changed.UTC().Format(time.RFC3339), e.Breaker.Failures, e.Breaker.Cause),
		fmt.Sprintf("do what the line daemon says; launches wait, and one of them asks again, not before %s, and closes it once the engine answers", e.Breaker.Next.UTC().Format(time.RFC3339)))
}
