package main

import (
	"fmt"
	"log/slog"
	"net/netip"

	"mesos-docker-executor/executor/agenttls"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/session"
	"mesos-docker-executor/executor/trust"
)

// route is the way to the agent.
type route struct {
	url    string
	socket string           // path of the agent's Unix socket, "" for TCP
	secure *agenttls.Client // nil: plain HTTP
	target trust.Target
}

// newRoute chooses the way: what config.yaml pins, else what the environment says, and there the Unix socket before TCP, as
// Mesos' own library does (src/executor/executor.cpp). There is no way back to TCP from a socket that cannot be used: the
// operator asked for it, and a task must not be able to choose by breaking it.
func newRoute(environ []string, agent config.Agent, file config.File, run config.Run) (route, error) {
	pinned := file.Agent.Endpoint != "" || file.Agent.DomainSocket != ""
	socket := file.Agent.DomainSocket
	if !pinned {
		socket = agent.DomainSocket
	}
	if socket != "" {
		return route{
			// The host is not looked up. The path is the only one that agents serve there.
			url:    "http://agent/" + agent.ProcessID() + "/api/v1/executor",
			socket: socket,
			target: trust.Target{Pinned: pinned, Socket: socket, Dial: session.DialSocket},
		}, nil
	}
	endpoint := agent.Endpoint
	if pinned {
		endpoint = file.Agent.Endpoint
	}
	address, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		return route{}, fmt.Errorf("the agent's endpoint: %w", err) // checked before, by config
	}
	r := route{
		url:    "http://" + endpoint + "/api/v1/executor",
		target: trust.Target{Pinned: pinned, Endpoint: address},
	}
	settings, ok := file.AgentTLS()
	if !ok {
		if settings, err = config.TLSFromEnviron(environ); err != nil {
			return route{}, err
		}
	}
	if settings == nil {
		return r, nil
	}
	r.url = "https://" + endpoint + "/api/v1/executor"
	r.secure, err = agenttls.New(agenttls.Options(*settings), run.WorkDir)
	return r, err
}

// logNotes says what an operator should know of the way although it is no error.
func (r route) logNotes(log *slog.Logger) {
	if r.secure == nil {
		return
	}
	for _, note := range r.secure.Notes() {
		log.Warn("TLS to the agent", "note", note)
	}
}
