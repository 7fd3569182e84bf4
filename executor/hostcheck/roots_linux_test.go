package hostcheck

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestCgroupsRootsOfTheAgentsThatRun(t *testing.T) {
	proc := t.TempDir()
	processFolder(t, proc, "7", "mesos-agent", map[string]string{"cmdline": "mesos-agent\x00--cgroups_root=prod/a/\x00", "environ": ""})
	processFolder(t, proc, "8", "mesos-agent", map[string]string{"cmdline": "mesos-agent\x00--work_dir=/x\x00", "environ": ""})
	processFolder(t, proc, "9", "mesos-slave", map[string]string{"cmdline": "mesos-slave\x00", "environ": "MESOS_CGROUPS_ROOT=prod/a\x00"})
	processFolder(t, proc, "91", "mesos-agent", map[string]string{"cmdline": "mesos-agent\x00--cgroups_root=/\x00", "environ": ""})
	processFolder(t, proc, "92", "mesos-agent", map[string]string{"cmdline": "mesos-agent\x00--cgroups_root=other\x00", "environ": "", "status": "Uid:\t0\t1000\t1000\t1000\n"})
	if got := CgroupsRoots(proc); !slices.Equal(got, []string{"/prod/a", "/mesos"}) {
		t.Errorf("%q", got)
	}
	if got := CgroupsRoots(filepath.Join(proc, "none")); len(got) > 0 {
		t.Errorf("without /proc: %q", got)
	}
}
