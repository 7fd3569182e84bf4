//go:build acceptance

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// runningRule looks at the first TASK_RUNNING and returns what is wrong with it.
type runningRule func(s *mesos.TaskStatus, t *transcript) []string

// inspected is the part of `docker inspect` that the rules read. TaskStatus.data is a JSON array of one.
type inspected struct {
	ID     string `json:"Id"`
	Config struct {
		Env    []string
		Labels map[string]string
	}
	HostConfig struct {
		CapAdd []string
	}
	NetworkSettings struct {
		Ports    map[string][]struct{ HostPort string }
		Networks map[string]struct{ IPAddress string }
	}
}

func inspect(s *mesos.TaskStatus) (inspected, error) {
	var all []inspected
	if err := json.Unmarshal(s.Data, &all); err != nil {
		return inspected{}, fmt.Errorf("TASK_RUNNING's data is not the JSON array of docker inspect: %w", err)
	}
	if len(all) != 1 || all[0].ID == "" {
		return inspected{}, fmt.Errorf("TASK_RUNNING's data describes %d containers, want one with an id", len(all))
	}
	return all[0], nil
}

// onInspected makes a rule of a look at the inspected container.
func onInspected(look func(c inspected, s *mesos.TaskStatus, t *transcript) []string) runningRule {
	return func(s *mesos.TaskStatus, t *transcript) []string {
		c, err := inspect(s)
		if err != nil {
			return []string{err.Error()}
		}
		return look(c, s, t)
	}
}

// reportsContainer wants the Mesos container's id in the status and our label on the Docker container.
func reportsContainer(s *mesos.TaskStatus, t *transcript) []string {
	return onInspected(func(c inspected, s *mesos.TaskStatus, t *transcript) []string {
		var wrong []string
		if s.GetContainerStatus().GetContainerID().GetValue() == "" {
			wrong = append(wrong, "TASK_RUNNING has no container_status.container_id")
		}
		if got := c.Config.Labels[taskLabel]; got != t.taskID {
			wrong = append(wrong, fmt.Sprintf("the container's label %s is %q, not the task id", taskLabel, got))
		}
		return wrong
	})(s, t)
}

// reportsAddress wants the container's own address, as Docker knows it. An executor that reports none gets the agent's
// address filled in by the agent, which looks right at a glance.
func reportsAddress(s *mesos.TaskStatus, t *transcript) []string {
	return onInspected(func(c inspected, s *mesos.TaskStatus, _ *transcript) []string {
		var reported, actual []string
		for _, n := range s.GetContainerStatus().GetNetworkInfos() {
			for _, ip := range n.IPAddresses {
				reported = append(reported, ip.GetIPAddress())
			}
		}
		for _, n := range c.NetworkSettings.Networks {
			if n.IPAddress != "" {
				actual = append(actual, n.IPAddress)
			}
		}
		for _, ip := range actual {
			if slices.Contains(reported, ip) {
				return nil
			}
		}
		return []string{fmt.Sprintf("TASK_RUNNING reports the addresses [%s], the container has [%s]", strings.Join(reported, " "), strings.Join(actual, " "))}
	})(s, t)
}

// hidesEnvironment wants no environment in the status: it is shown in the master's state to anyone.
func hidesEnvironment(mark string) runningRule {
	return onInspected(func(c inspected, s *mesos.TaskStatus, _ *transcript) []string {
		switch {
		case len(c.Config.Env) > 0:
			return []string{fmt.Sprintf("TASK_RUNNING's data holds the container's environment (%d variables)", len(c.Config.Env))}
		case bytes.Contains(s.Data, []byte(mark)) || strings.Contains(s.GetMessage(), mark):
			return []string{"TASK_RUNNING shows the value of an environment variable"}
		}
		return nil
	})
}

// publishesPorts wants each host port of the offer published for the container port that it was mapped to.
func publishesPorts(s *mesos.TaskStatus, t *transcript) []string {
	return onInspected(func(c inspected, _ *mesos.TaskStatus, t *transcript) []string {
		var wrong []string
		for i, host := range t.ports {
			inside := strconv.Itoa(containerPort+i) + "/tcp"
			published := slices.ContainsFunc(c.NetworkSettings.Ports[inside], func(b struct{ HostPort string }) bool {
				return b.HostPort == strconv.FormatUint(uint64(host), 10)
			})
			if !published {
				wrong = append(wrong, fmt.Sprintf("host port %d is not published for %s: %v", host, inside, c.NetworkSettings.Ports[inside]))
			}
		}
		return wrong
	})(s, t)
}

// lacksCapability wants a capability not to be added. Docker writes names with and without the prefix, by version.
func lacksCapability(name string) runningRule {
	return onInspected(func(c inspected, _ *mesos.TaskStatus, _ *transcript) []string {
		for _, added := range c.HostConfig.CapAdd {
			if added == "ALL" || strings.TrimPrefix(added, "CAP_") == name {
				return []string{fmt.Sprintf("the container was created with %s", added)}
			}
		}
		return nil
	})
}
