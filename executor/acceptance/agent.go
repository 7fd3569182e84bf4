//go:build acceptance

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// agent is the Mesos agent that runs the tasks.
type agent struct {
	id      string
	address string            // ip:port of its HTTP endpoints
	process string            // libprocess name, the first element of its paths: slave(1)
	flags   map[string]string // empty when unknown, see flagsErr
	// flagsErr says why the flags are unknown. Only drop-in mode needs them.
	flagsErr error
}

// engine is the Docker host of the agent, empty when unknown.
func (a *agent) engine() string {
	if s := a.flags["docker_socket"]; s != "" {
		return "unix://" + s
	}
	return ""
}

// dropInBinary is the path that the Docker containerizer runs, empty when the flags are unknown.
func (a *agent) dropInBinary() string {
	if dir := a.flags["launcher_dir"]; dir != "" {
		return filepath.Join(dir, "mesos-docker-executor")
	}
	return ""
}

// sandbox is where a task's files are, by the layout of src/slave/paths.cpp; empty when the work directory is unknown.
func (a *agent) sandbox(framework, executor string) string {
	if a.flags["work_dir"] == "" {
		return ""
	}
	return filepath.Join(a.flags["work_dir"], "slaves", a.id, "frameworks", framework, "executors", executor, "runs", "latest")
}

// registered is an agent as the master's /slaves lists it.
type registered struct {
	ID       string `json:"id"`
	PID      string `json:"pid"` // slave(1)@ip:port
	Hostname string `json:"hostname"`
	Active   bool   `json:"active"`
}

// split takes a libprocess PID apart into process name and ip:port.
func (r registered) split() (process string, address netip.AddrPort, err error) {
	process, rest, found := strings.Cut(r.PID, "@")
	if !found {
		return "", netip.AddrPort{}, fmt.Errorf("agent %s has the pid %q, want name@ip:port", r.ID, r.PID)
	}
	address, err = netip.ParseAddrPort(rest)
	if err != nil {
		return "", netip.AddrPort{}, fmt.Errorf("agent %s has the pid %q: %w", r.ID, r.PID, err)
	}
	return process, address, nil
}

// findAgent asks the master for its agents and takes the one with this id, or the first active one of this machine.
func findAgent(ctx context.Context, master, id string) (*agent, error) {
	all, err := listAgents(ctx, master)
	if err != nil {
		return nil, fmt.Errorf("ask the Mesos master at %s for its agents: %w", master, err)
	}
	own, err := ownAddresses()
	if err != nil {
		return nil, err
	}
	chosen, err := chooseAgent(all, id, own)
	if err != nil {
		return nil, fmt.Errorf("the Mesos master at %s: %w", master, err)
	}
	process, address, err := chosen.split()
	if err != nil {
		return nil, err
	}
	a := &agent{id: chosen.ID, address: address.String(), process: process}
	a.readFlags(ctx)
	return a, nil
}

// ownAddresses are the addresses of this machine's interfaces.
func ownAddresses() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	var own []netip.Addr
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Addr().Unmap())
		}
	}
	return own, nil
}

// chooseAgent is the decision behind [findAgent]. The agent must be on this machine: the binary is looked at, and what
// tasks leave behind is looked for, here.
func chooseAgent(all []registered, id string, own []netip.Addr) (registered, error) {
	if len(all) == 0 {
		return registered{}, errors.New("no agent is registered: start mesos-agent with --master pointing to it")
	}
	var why []string
	for _, r := range all {
		if id != "" && r.ID != id {
			continue
		}
		_, address, err := r.split()
		switch {
		case err != nil:
			why = append(why, err.Error())
		case !r.Active:
			why = append(why, fmt.Sprintf("agent %s (%s) is not active", r.ID, r.Hostname))
		case !address.Addr().IsLoopback() && !slices.Contains(own, address.Addr().Unmap()):
			why = append(why, fmt.Sprintf("agent %s runs on another machine (%s): run the acceptance there", r.ID, address))
		default:
			return r, nil
		}
	}
	if len(why) == 0 {
		return registered{}, fmt.Errorf("no agent with the id %s is registered", id)
	}
	return registered{}, errors.New(strings.Join(why, "; "))
}

func listAgents(ctx context.Context, master string) ([]registered, error) {
	var answer struct{ Slaves []registered }
	if err := getJSON(ctx, "http://"+master+"/slaves", &answer); err != nil {
		return nil, err
	}
	return answer.Slaves, nil
}

func (a *agent) readFlags(ctx context.Context) {
	var answer struct{ Flags map[string]string }
	a.flagsErr = getJSON(ctx, "http://"+a.address+"/"+a.process+"/flags", &answer)
	a.flags = answer.Flags
}

// getJSON asks an endpoint of Mesos. A master that does not lead redirects, which is followed.
func getJSON(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{} // without proxy, and closed with the question
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %.200s", url, answer.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: the answer is not the expected JSON: %w", url, err)
	}
	return nil
}

// prepared is the result of looking whether a mode can work at all with this agent.
type prepared struct {
	detail string // which binary, on success
	err    error  // what is missing, and the remedy
}

// prepare looks at the agent's flags and lets the binary of the mode say its version.
func prepare(ctx context.Context, m mode, a *agent, machine machine, binary string) prepared {
	path, err := binaryOf(m, a, binary)
	if err != nil {
		return prepared{err: err}
	}
	said, err := machine.version(ctx, path)
	if err := checkVersion(m, path, said, err); err != nil {
		return prepared{err: err}
	}
	return prepared{detail: path + ": " + said}
}

// binaryOf is the executor that the agent starts in this mode.
func binaryOf(m mode, a *agent, binary string) (string, error) {
	needed := map[mode]string{dropIn: "docker", custom: "mesos"}[m]
	if list := a.flags["containerizers"]; list != "" && !slices.Contains(strings.Split(list, ","), needed) {
		return "", fmt.Errorf("the agent runs with --containerizers=%s: %s mode needs %q among them, such as docker,mesos", list, m, needed)
	}
	if m == custom {
		return binary, nil
	}
	if a.flagsErr != nil {
		return "", fmt.Errorf("the agent's --launcher_dir is unknown: %w", a.flagsErr)
	}
	path := a.dropInBinary()
	if path == "" {
		return "", errors.New("the agent's /flags name no launcher_dir")
	}
	return path, nil
}

// checkVersion judges what `path --version` said. The stock executor fails on a flag that it does not know.
func checkVersion(m mode, path, said string, err error) error {
	if err == nil && strings.Contains(said, "mesos-docker-executor") {
		return nil
	}
	remedy := "build it with `make build`, or name it with --binary"
	if m == dropIn {
		remedy = "make a folder with our binary as mesos-docker-executor and symlinks to the other files of the present " +
			"--launcher_dir, and start the agent with --launcher_dir=<that folder>"
	}
	if err == nil {
		err = fmt.Errorf("it says %q", said)
	}
	return fmt.Errorf("%s is not our executor: `%s --version`: %w; %s", path, path, err, remedy)
}
