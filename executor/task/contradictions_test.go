package task

import (
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// TestParametersAgreeWithStructuredFields: a parameter that says what a field says is taken, one that says something else
// names the field.
func TestParametersAgreeWithStructuredFields(t *testing.T) {
	userNetwork := func(task *mesos.TaskInfo) {
		task.Container.Docker.Network = mesos.ContainerInfo_DockerInfo_USER.Enum()
		task.Container.NetworkInfos = []mesos.NetworkInfo{{Name: ptr("web"), IPAddresses: []mesos.NetworkInfo_IPAddress{{IPAddress: ptr("10.0.0.1")}}}}
	}
	for field, test := range map[string]struct {
		change        func(*mesos.TaskInfo)
		agrees, other string
	}{
		"container.hostname": {func(task *mesos.TaskInfo) {
			task.Container.Hostname, task.Container.Docker.Network = ptr("a"), mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()
		}, "hostname a", "h b"},
		"command.user":                  {func(task *mesos.TaskInfo) { task.Command.User = ptr("a") }, "user a", "u b"},
		"container.linux_info.shm_size": {func(task *mesos.TaskInfo) { task.Container.LinuxInfo = &mesos.LinuxInfo{SHMSize: ptr(uint32(64))} }, "shm-size 64m", "shm-size 1m"},
		"container.rlimit_info.rlimits[0]": {func(task *mesos.TaskInfo) {
			limit := mesos.RLimitInfo_RLimit{Type: mesos.RLimitInfo_RLimit_RLMT_NOFILE, Hard: ptr(uint64(10)), Soft: ptr(uint64(5))}
			task.Container.RlimitInfo = &mesos.RLimitInfo{Rlimits: []mesos.RLimitInfo_RLimit{limit}}
		}, "ulimit nofile=5:10", "ulimit nofile=5"},
		"container.tty_info":                      {func(task *mesos.TaskInfo) { task.Container.TTYInfo = &mesos.TTYInfo{} }, "tty true", "t false"},
		"container.docker.volume_driver":          {func(task *mesos.TaskInfo) { task.Container.Docker.VolumeDriver = ptr("a") }, "volume-driver a", "volume-driver b"},
		"container.network_infos[0].name":         {userNetwork, "network web", "net other"},
		"container.network_infos[0].ip_addresses": {userNetwork, "ip 10.0.0.1", "ip 10.0.0.2"},
	} {
		if message := problemsOf(t, test.change, test.agrees); message != "" {
			t.Errorf("%s and %s: %s", field, test.agrees, message)
		}
		if message := problemsOf(t, test.change, test.other); !strings.Contains(message, "contradicts "+field+"; keep one of them") {
			t.Errorf("%s and %s: %s", field, test.other, message)
		}
	}
}
