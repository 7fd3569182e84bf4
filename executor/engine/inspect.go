package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Container is the daemon's view of a container, which can be stale or wrong: while containerd restarts it shows "running" for
// a dead one, and after a crash with a full disk an ExitCode 0 that never was.
type Container struct {
	ID, Name              string // 64 hex digits; without the leading "/"
	Status                string // "created" "running" "paused" "restarting" "removing" "exited" "dead"
	Error                 string // why the last start failed
	Running, OOMKilled    bool
	ExitCode, Pid         int       // 0 in state "created" as well, and 127 or 128 after a failed start
	StartedAt, FinishedAt time.Time // zero: never
	Labels                map[string]string
	Networks              []Network       // by name
	StopSignal            string          // "" = SIGTERM
	Raw                   json.RawMessage // an array of one, as `docker inspect` prints it, without what may hold secrets
}

// Network is a container's endpoint in one network. Addresses are "" while it does not run.
type Network struct{ Name, IPv4, IPv6 string }

// Inspect returns the daemon's view of a container, for a decision: its limit is Inspect. An unknown one is [ErrNotFound].
//
// The daemon gets no second inspect of a container, by the name that is given here, while one is under way: each that it does not
// answer costs it a goroutine and a file for as long as it hangs. Whoever asks meanwhile shares the answer, with its maps and slices,
// which are nobody's to change; each ends with its own context and limit, and the request with the last of them. When to ask again after
// that is the caller's decision.
func (e *Engine) Inspect(ctx context.Context, idOrName string) (Container, error) {
	return e.inspectShared(ctx, idOrName, e.limits.Inspect)
}

// InspectAgain is [Engine.Inspect] under the limit InspectPoll, for whoever asks again and again.
func (e *Engine) InspectAgain(ctx context.Context, idOrName string) (Container, error) {
	return e.inspectShared(ctx, idOrName, e.limits.InspectPoll)
}

// inspectOnce is the request. Its limit is the longest of those who may wait for it.
func (e *Engine) inspectOnce(ctx context.Context, idOrName string) (Container, error) {
	var c Container
	kind := call{name: "inspect", limit: max(e.limits.Inspect, e.limits.InspectPoll), accept: []int{http.StatusOK}, missing: noContainer}
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if err := checkContainer(idOrName); err != nil {
			return err
		}
		said, raw, err := p.docker.ContainerInspectWithRaw(ctx, idOrName, false)
		if err != nil {
			return err
		}
		c, err = containerOf(said, raw)
		if err == nil && isFullID(idOrName) && c.ID != idOrName {
			err = fmt.Errorf("the answer is about another container, %s", c.ID)
		}
		return err
	})
	if err != nil {
		return Container{}, err
	}
	return c, nil
}

// containerOf checks an answer: `{}` and null are valid JSON too.
func containerOf(said container.InspectResponse, raw []byte) (Container, error) {
	switch {
	case said.ContainerJSONBase == nil || !isFullID(said.ID):
		return Container{}, errors.New("the answer describes no container")
	case said.State == nil || said.State.Status == "":
		return Container{}, errors.New("the answer lacks the container's state")
	case said.Config == nil:
		return Container{}, errors.New("the answer lacks the container's configuration")
	}
	started, err := parseTime(said.State.StartedAt)
	if err != nil {
		return Container{}, fmt.Errorf("start time: %w", err)
	}
	finished, err := parseTime(said.State.FinishedAt)
	if err != nil {
		return Container{}, fmt.Errorf("end time: %w", err)
	}
	public, err := withoutSecrets(raw)
	if err != nil {
		return Container{}, err
	}
	return Container{
		ID:         said.ID,
		Name:       strings.TrimPrefix(said.Name, "/"),
		Status:     said.State.Status,
		Error:      said.State.Error,
		Running:    said.State.Running,
		OOMKilled:  said.State.OOMKilled,
		ExitCode:   said.State.ExitCode,
		Pid:        said.State.Pid,
		StartedAt:  started,
		FinishedAt: finished,
		Labels:     said.Config.Labels,
		Networks:   networksOf(said.NetworkSettings),
		StopSignal: said.Config.StopSignal,
		Raw:        public,
	}, nil
}

// parseTime reads the daemon's times, RFC 3339 in UTC; "0001-01-01T00:00:00Z" and "" mean never.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

// networksOf uses only the list per network: the fields beside it are those of the default bridge, deprecated since API 1.21.
func networksOf(s *container.NetworkSettings) []Network {
	if s == nil {
		return nil
	}
	var networks []Network
	for name, endpoint := range s.Networks {
		if endpoint != nil {
			networks = append(networks, Network{Name: name, IPv4: endpoint.IPAddress, IPv6: endpoint.GlobalIPv6Address})
		}
	}
	slices.SortFunc(networks, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	return networks
}

// withoutSecrets removes the environment and the log driver's options (splunk-token and the like) from the
// daemon's text, keeps every other field, known or not, and makes it the array that `docker inspect` prints.
func withoutSecrets(raw []byte) (json.RawMessage, error) {
	inner, err := without(raw, "Config", func(config json.RawMessage) (json.RawMessage, error) {
		return without(config, "Env", nil)
	})
	if err != nil {
		return nil, err
	}
	inner, err = without(inner, "HostConfig", func(host json.RawMessage) (json.RawMessage, error) {
		return without(host, "LogConfig", func(log json.RawMessage) (json.RawMessage, error) {
			return without(log, "Config", nil)
		})
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal([]json.RawMessage{inner})
}

// without replaces a field of a JSON object by what change makes of it, or removes it if change is nil. As
// encoding/json does, it takes a field whose name differs only by case for the same.
func without(object json.RawMessage, field string, change func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, fmt.Errorf("field %s: %w", field, err)
	}
	if fields == nil {
		return object, nil // null
	}
	for name, value := range fields {
		if !strings.EqualFold(name, field) {
			continue
		}
		if change == nil {
			delete(fields, name)
			continue
		}
		changed, err := change(value)
		if err != nil {
			return nil, err
		}
		fields[name] = changed
	}
	return json.Marshal(fields)
}
