package task

import (
	"slices"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func withParameters(written ...string) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) { docker(t).Parameters = parametersOf(written...) }
}

// remedyBehind returns what a message has in backquotes behind words.
func remedyBehind(t *testing.T, message, words string) string {
	t.Helper()
	_, rest, ok := strings.Cut(message, words+"`")
	remedy, _, closed := strings.Cut(rest, "`")
	if !ok || !closed {
		t.Fatalf("no remedy behind %q: %s", words, message)
	}
	return remedy
}

func TestRefusedMountsAreToldAParameterThatWorks(t *testing.T) {
	for parameter, want := range map[string]string{
		"v /data:/data":                               "./data:/data",
		"volume /srv/db/files:/var/lib/db":            "./files:/var/lib/db",
		"v /srv:/host":                                "./srv:/host",
		"v data:/data":                                "./data:/data",
		"mount type=bind,source=/srv/a,target=/a":     "type=bind,source=./a,target=/a",
		"mount type=volume,source=store,target=/data": "type=bind,source=./store,target=/data",
	} {
		t.Run(strings.ReplaceAll(parameter, "/", ":"), func(t *testing.T) {
			message := refused(t, helloTask(t, withParameters(parameter)), testInputs(), mesos.REASON_TASK_UNAUTHORIZED)
			var remedy string
			if strings.Contains(message, "which is always there") {
				remedy = remedyBehind(t, message, "which is always there, write ")
			} else {
				remedy = remedyBehind(t, message, "for a folder of the sandbox write ")
			}
			if remedy != want {
				t.Errorf("got %q, want %q", remedy, want)
			}
			key, _, _ := strings.Cut(parameter, " ")
			accepted(t, helloTask(t, withParameters(key+" "+remedy)), testInputs())
		})
	}
	refused(t, helloTask(t, withVolume(mesos.Volume{HostPath: ptr("/srv")})), testInputs(), mesos.REASON_TASK_UNAUTHORIZED,
		"for a folder of the sandbox write a host_path relative to it.")
	refused(t, helloTask(t, func(task *mesos.TaskInfo) {
		docker(task).VolumeDriver = ptr("nfs")
		withVolume(mesos.Volume{HostPath: ptr("store")})(task)
	}), testInputs(), mesos.REASON_TASK_UNAUTHORIZED, "write a host_path relative to it without a volume driver.")
}

func TestRelativePathOutOfTheSandboxIsShownAsWritten(t *testing.T) {
	for origin, change := range map[string]func(*mesos.TaskInfo){
		"container.volumes[0].host_path": withVolume(mesos.Volume{HostPath: ptr("a/../../x")}),
		"parameters[0] `v`":              withParameters("v a/../../x:/data"),
		"parameters[0] `mount`":          withParameters("mount type=bind,source=a/../../x,target=/data"),
	} {
		message := refused(t, helloTask(t, change), testInputs(), mesos.REASON_TASK_UNAUTHORIZED,
			origin, `"a/../../x" leaves the sandbox`, "[rule mounts.sources; fixed]")
		if strings.Contains(message, "problems:") {
			t.Errorf("one mistake: %s", message)
		}
	}
}

func TestNotesSayToWhatAValueWasTrimmed(t *testing.T) {
	plan := hello(t, testInputs(), func(task *mesos.TaskInfo) {
		withResource("mem", 4096)(task)
		withParameters("ulimit nofile=1000000:1000000", "shm-size 2g", "pids-limit 5000", "tmpfs /t:size=99g")(task)
	})
	for _, want := range []string{
		"trimmed ulimit nofile=1000000:1000000 to 65536:65536 (parameter 0 `ulimit`)",
		"trimmed shm size 2 GiB to 1 GiB (parameter 1 `shm-size`)",
		"trimmed pids limit 5000 to 4096 (parameter 2 `pids-limit`)",
		"trimmed tmpfs size 99 GiB to 1 GiB (parameter 3 `tmpfs`)",
	} {
		if !slices.Contains(plan.Notes, want) {
			t.Errorf("no %q in %q", want, plan.Notes)
		}
	}
}

func TestOddMemoryIsNoted(t *testing.T) {
	for _, test := range []struct {
		mem  float64
		host int64
		want string
	}{
		{16.5, 1 << 30, "mem of 16.5 MiB is below the minimum: 32 MiB hold"},
		{0, 1 << 30, "mem of 0 MiB is below the minimum: 32 MiB hold"},
		{32, 1 << 30, ""},
		{1024, 1 << 30, ""},
		{1025, 1 << 30, "mem of 1025 is more than the host's memory (mem is in MiB)"},
		{1 << 20, 0, ""},
		{1 << 20, 1 << 41, ""},
		{1<<20 + 1, 0, "mem of 1048577 is more than most hosts have (mem is in MiB)"},
	} {
		in := testInputs()
		in.HostMemory = test.host
		plan := hello(t, in, withResource("mem", test.mem))
		said := slices.DeleteFunc(slices.Clone(plan.Notes), func(n string) bool { return !strings.HasPrefix(n, "mem of") })
		if strings.Join(said, "; ") != test.want {
			t.Errorf("%+v: %q", test, said)
		}
	}
}
