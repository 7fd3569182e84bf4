package supervise

import (
	"net/netip"
	"slices"

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

// containerStatus reports the container's networks and class ID. The id in it is the Mesos container's: the agent looks it up.
func (m *Machine) containerStatus() *mesos.ContainerStatus {
	s := &mesos.ContainerStatus{ContainerID: &mesos.ContainerID{Value: m.set.ContainerID}, NetworkInfos: m.networks}
	if class := m.classID(); class != 0 {
		s.CgroupInfo = &mesos.CgroupInfo{NetCLS: &mesos.CgroupInfo_NetCls{ClassID: &class}}
	}
	return s
}

// classID is the task's class ID, 0 when it has none.
func (m *Machine) classID() uint32 {
	if m.plan == nil || m.untagged != "" {
		return 0
	}
	return uint32(m.plan.Class.ID)
}

// described adds the container's status, once there is something to be told of it.
func (m *Machine) described(s mesos.TaskStatus) mesos.TaskStatus {
	if m.proc.startSent || m.classID() != 0 {
		s.ContainerStatus = m.containerStatus()
	}
	return s
}

// networkInfos joins what the task said of its networks with the addresses that they gave the container. Host and none
// networks have no address of their own, and then the agent fills in its own.
func networkInfos(asked []mesos.NetworkInfo, networks []engine.Network) []mesos.NetworkInfo {
	var infos []mesos.NetworkInfo
	for _, n := range networks {
		info := mesos.NetworkInfo{}
		if at := slices.IndexFunc(asked, func(a mesos.NetworkInfo) bool { return a.GetName() == n.Name }); at >= 0 {
			info = asked[at]
			info.IPAddresses = nil
		}
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
		infos = append(infos, info)
	}
	return infos
}

func hasKillingState(f mesos.FrameworkInfo) bool {
	for _, c := range f.Capabilities {
		if c.Type == mesos.FrameworkInfo_Capability_TASK_KILLING_STATE {
			return true
		}
	}
	return false
}
