package process

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/syndtr/gocapability/capability"
)

func TestCapabilitiesThatAHostCannotGive(t *testing.T) {
	all := func(last capability.Cap) uint64 { return 1<<(last+1) - 1 }
	tests := []struct {
		name   string
		host   hostCapabilities
		wanted string
		want   []string // parts of the message; none for no error
		never  string
	}{
		{"everything", hostCapabilities{capability.CAP_CHECKPOINT_RESTORE, all(40)}, "CAP_CHOWN CAP_BPF", nil, ""},
		{"nothing wanted of a host that gives nothing", hostCapabilities{0, 0}, "", nil, ""},
		{"old kernel", hostCapabilities{capability.CAP_AUDIT_READ, all(37)}, "CAP_PERFMON CAP_CHOWN CAP_BPF",
			[]string{"kernel does not have CAP_PERFMON, CAP_BPF,"}, "bounding"},
		{"restricted engine", hostCapabilities{capability.CAP_CHECKPOINT_RESTORE, all(40) &^ (1 << capability.CAP_SYS_RESOURCE)},
			"CAP_CHOWN CAP_SYS_RESOURCE", []string{"can have CAP_SYS_RESOURCE:", "of process 1"}, "kernel"},
		{"both", hostCapabilities{capability.CAP_AUDIT_READ, 1}, "CAP_CHOWN CAP_KILL CAP_BPF",
			[]string{"does not have CAP_BPF,", "can have CAP_KILL:"}, "CAP_CHOWN"},
		{"what nobody has", hostCapabilities{63, all(62)}, "CAP_OF_THE_FUTURE ALL", []string{"does not have CAP_OF_THE_FUTURE, ALL,"}, "bounding"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.host.check(strings.Fields(test.wanted))
			if (err != nil) != (test.want != nil) {
				t.Fatal(err)
			}
			if err == nil {
				return
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if test.never != "" && strings.Contains(err.Error(), test.never) {
				t.Errorf("%q tells of %q", err, test.never)
			}
		})
	}
}

// TestABoundingSetIsThatOfTheProcess: a child that has given a capability up cannot give it to a container.
func TestABoundingSetIsThatOfTheProcess(t *testing.T) {
	own, err := boundingSet(0)
	if err != nil {
		t.Fatal(err)
	}
	if own>>capability.CAP_CHOWN&1 != 1 {
		t.Fatalf("%x", own)
	}
	c := exec.Command("setpriv", "--bounding-set=-chown", "cat")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = c.Wait() })
	if _, err := in.Write([]byte("x")); err != nil { // comes back from cat
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if less, err := boundingSet(c.Process.Pid); err != nil || less != own&^(1<<capability.CAP_CHOWN) {
		t.Errorf("%x of %x: %v", less, own, err)
	}
	if _, err := boundingSet(1 << 30); err == nil {
		t.Error("a process that does not exist has a bounding set")
	}
}

// TestTheEngineGivesWhatCheckCapabilitiesLetsThrough: all of it in one container, and of the rest nothing.
func TestTheEngineGivesWhatCheckCapabilitiesLetsThrough(t *testing.T) {
	// Docker 20.10 does not know these, which it says itself.
	unknown := []string{"CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"}
	var given, refused []string
	for _, c := range capability.List() {
		name := capabilityName(int(c))
		switch err := CheckCapabilities([]string{name}); {
		case slices.Contains(unknown, name):
		case err != nil:
			t.Log(err)
			refused = append(refused, name)
		default:
			given = append(given, name)
		}
	}
	for _, test := range []struct {
		capabilities []string
		starts       bool
	}{{given, true}, {refused, false}} {
		if len(test.capabilities) == 0 {
			continue
		}
		f := newLeaf(t)
		id := f.createAs("", container.HostConfig{CapDrop: []string{"ALL"}, CapAdd: test.capabilities}, "exec sleep 1000")
		init, err := f.startWatched(dockerClient(t), id)
		if (err == nil) != test.starts {
			t.Fatalf("%v: %v", test.capabilities, err)
		}
		if err != nil {
			t.Log(err)
			continue
		}
		rights := rightsOnce(t, init, "the program to begin", func(Rights) bool { return true })
		for _, c := range capability.List() {
			if has := rights.Bounding>>c&1 == 1; has != slices.Contains(given, capabilityName(int(c))) {
				t.Errorf("%s: %v", capabilityName(int(c)), has)
			}
		}
	}
}
