package supervise

import (
	"net/netip"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
)

// status makes an update; the session adds what every update carries (uuid, source, time, executor and agent id).
func status(taskID string, state mesos.TaskState, message string) mesos.TaskStatus {
	s := mesos.TaskStatus{TaskID: mesos.TaskID{Value: taskID}, State: &state}
	if message != "" {
		s.Message = &message
	}
	return s
}

func withReason(s mesos.TaskStatus, reason mesos.TaskStatus_Reason) mesos.TaskStatus {
	s.Reason = &reason
	return s
}

// isTerminal says whether no update may follow this state.
func isTerminal(state mesos.TaskState) bool {
	switch state {
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING:
		return false
	}
	return true
}

// containerStatus reports the container's addresses. The id in it is the Mesos container's: the agent looks it up.
// Host and none networks have no address of their own, and then the agent fills in its own.
func containerStatus(containerID string, networks []engine.Network) *mesos.ContainerStatus {
	cs := &mesos.ContainerStatus{ContainerID: &mesos.ContainerID{Value: containerID}}
	for _, n := range networks {
		info := mesos.NetworkInfo{}
		for _, ip := range []string{n.IPv4, n.IPv6} {
			addr, err := netip.ParseAddr(ip)
			if err != nil {
				continue
			}
			protocol := mesos.IPv4
			if addr.Is6() {
				protocol = mesos.IPv6
			}
			info.IPAddresses = append(info.IPAddresses, mesos.NetworkInfo_IPAddress{Protocol: &protocol, IPAddress: &ip})
		}
		if len(info.IPAddresses) == 0 {
			continue
		}
		name := n.Name
		info.Name = &name
		cs.NetworkInfos = append(cs.NetworkInfos, info)
	}
	return cs
}

func hasKillingState(f mesos.FrameworkInfo) bool {
	for _, c := range f.Capabilities {
		if c.Type == mesos.FrameworkInfo_Capability_TASK_KILLING_STATE {
			return true
		}
	}
	return false
}
