package process

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/executor/enginetest"
)

// dockersLimit is a decision for Docker's own capabilities, all that can be demanded, and no namespace of the host's but those that
// Docker shares by itself.
func dockersLimit() RightsLimit {
	return RightsLimit{
		Capabilities: []string{
			"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
			"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP",
		},
		NoNewPrivs: true, Seccomp: true, NonRoot: true,
		HostNamespaces: []string{"cgroup", "user"},
	}
}

// createAs makes a container as create does, for a user.
func (f *fixture) createAs(user string, host container.HostConfig, script string) string {
	f.t.Helper()
	c := dockerClient(f.t)
	host.CgroupParent = f.placement.Parent
	config := container.Config{Image: enginetest.Image, User: user, Cmd: []string{"sh", "-c", script}}
	made, err := c.ContainerCreate(f.t.Context(), &config, &host, nil, nil, "")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := c.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true}); err != nil {
			f.t.Error(err)
		}
	})
	return made.ID
}

func TestContainersExceedTheirLimitByWhatTheyWereGivenBeyondIt(t *testing.T) {
	const confined = "no-new-privileges"
	tests := []struct {
		name string
		user string
		host container.HostConfig
		want []string // a part of each sentence
	}{
		{"as decided", "web", container.HostConfig{SecurityOpt: []string{confined}}, nil},
		{"no capabilities", "web", container.HostConfig{SecurityOpt: []string{confined}, CapDrop: []string{"ALL"}}, nil},
		{"Docker's defaults", "", container.HostConfig{}, []string{"no_new_privs", "runs as root"}},
		{"more capabilities", "1000:1000", container.HostConfig{SecurityOpt: []string{confined}, CapAdd: []string{"SYS_PTRACE", "NET_ADMIN"}},
			[]string{": CAP_NET_ADMIN, CAP_SYS_PTRACE ("}},
		{"no seccomp", "web", container.HostConfig{SecurityOpt: []string{confined, "seccomp=unconfined"}}, []string{"seccomp"}},
		{"namespaces of the host", "web", container.HostConfig{SecurityOpt: []string{confined}, NetworkMode: "host", IpcMode: "host", UTSMode: "host"},
			[]string{"IPC", "network", "UTS"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newLeaf(t)
			id := f.createAs(test.user, test.host, "exec sleep 1000")
			init, err := f.startWatched(dockerClient(t), id)
			if err != nil {
				t.Fatal(err)
			}
			r := rightsOnce(t, init, "the program to begin", func(Rights) bool { return true })
			t.Logf("%+v", r)
			more := r.Exceeds(dockersLimit())
			if len(more) != len(test.want) {
				t.Fatalf("exceeds %q", more)
			}
			for i, part := range test.want {
				if !strings.Contains(more[i], part) {
					t.Errorf("%q does not tell of %q", more[i], part)
				}
			}
		})
	}
}

func TestRightsOfAContainerAreItsOwnFromTheFirstMoment(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	id := f.createAs("web", container.HostConfig{SecurityOpt: []string{"no-new-privileges"}, CgroupnsMode: "private"}, "sleep 0.1; exit 3")
	answer := make(chan error, 1)
	go func() { answer <- c.ContainerStart(t.Context(), id, container.StartOptions{}) }()
	init, err := f.WatchInit(limited(t), id)
	if err != nil {
		t.Fatalf("%v (start: %v)", err, <-answer)
	}
	defer init.Close()
	limit := dockersLimit()
	limit.HostNamespaces = []string{"user"}
	waiting, read := 0, 0
	for {
		r, err := init.Rights()
		if errors.Is(err, os.ErrProcessDone) {
			break
		}
		if errors.Is(err, ErrNotExecuted) && read == 0 {
			waiting++
			continue
		}
		if err != nil {
			t.Fatalf("after %d readings: %v", read, err)
		}
		read++
		if more := r.Exceeds(limit); len(more) != 0 || r.UIDs != [4]int{1000, 1000, 1000, 1000} {
			t.Fatalf("reading %d: %q, %+v", read, more, r)
		}
	}
	t.Logf("not executed %d times, then read %d times until the end", waiting, read)
	if err := <-answer; err != nil || waiting == 0 {
		t.Errorf("not executed %d times; start: %v", waiting, err)
	}
}

func TestProgramThatGivesUpRightsStaysWithinItsLimit(t *testing.T) {
	f := newLeaf(t)
	// su needs capabilities and root; what it starts has neither.
	id := f.createAs("", container.HostConfig{}, "exec setpriv --nnp su web -s /bin/sh -c 'exec sleep 1000'")
	init, err := f.startWatched(dockerClient(t), id)
	if err != nil {
		t.Fatal(err)
	}
	r := rightsOnce(t, init, "the rights to be given up", func(r Rights) bool { return r.UIDs[0] == 1000 })
	if more := r.Exceeds(dockersLimit()); len(more) != 0 || r.Permitted != 0 || r.Bounding == 0 {
		t.Errorf("exceeds %q: %+v", more, r)
	}
	const times = 200
	began := time.Now()
	for range times {
		if _, err := init.Rights(); err != nil {
			t.Fatal(err)
		}
	}
	read := time.Since(began) / times
	began = time.Now()
	for range times {
		r.Exceeds(dockersLimit())
	}
	t.Logf("%v to read the rights, %v to compare them", read, time.Since(began)/times)
}
