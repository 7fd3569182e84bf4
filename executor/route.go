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
	notes  []string // what an operator should know although it is no error
}

// newRoute chooses the way: what config.yaml pins, else what the environment says, and there the Unix socket before TCP, as
// Mesos' own library does (src/executor/executor.cpp). There is no way back to TCP from a socket that cannot be used: the
// operator asked for it, and a task must not be able to choose by breaking it.
//
// With TLS pinned, the environment's socket does not count: it would be used without TLS, and a task can name one of its
// own. The endpoint still does, for whoever answers there has to show a certificate.
func newRoute(environ []string, agent config.Agent, file config.File, run config.Run) (route, error) {
	tls, err := tlsFor(environ, file)
	switch {
	case file.Agent.DomainSocket != "":
		return socketRoute(agent, trust.Target{Pinned: true, Socket: file.Agent.DomainSocket}), nil
	case agent.DomainSocket != "" && file.Agent.Endpoint == "" && !(tls != nil && tls.Pinned):
		return socketRoute(agent, trust.AtSocket(agent.DomainSocket, run.WorkDir, session.DialSocket)), nil
	case err != nil:
		return route{}, err
	}
	r, err := tcpRoute(agent, file)
	if err != nil || tls == nil {
		return r, err
	}
	r.url = "https://" + r.target.Endpoint.String() + "/api/v1/executor"
	r.secure, err = agenttls.New(agenttls.Options(*tls), run.WorkDir)
	if tls.Pinned && !r.target.Pinned {
		r.noteUnpinned(agent, *tls)
	}
	return r, err
}

// tlsFor returns how TCP is to be encrypted; nil for plain HTTP. An error is the environment's.
func tlsFor(environ []string, file config.File) (*config.TLS, error) {
	if settings, pinned := file.AgentTLS(); pinned {
		return settings, nil
	}
	return config.TLSFromEnviron(environ)
}

func socketRoute(agent config.Agent, target trust.Target) route {
	return route{
		// The host is not looked up. The path is the only one that agents serve there.
		url:    "http://agent/" + agent.ProcessID() + "/api/v1/executor",
		socket: target.Socket,
		target: target,
	}
}

func tcpRoute(agent config.Agent, file config.File) (route, error) {
	endpoint, pinned := file.Agent.Endpoint, true
	if endpoint == "" {
		endpoint, pinned = agent.Endpoint, false
	}
	address, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		return route{}, fmt.Errorf("the agent's endpoint: %w", err) // checked before, by config
	}
	return route{
		url:    "http://" + endpoint + "/api/v1/executor",
		target: trust.Target{Pinned: pinned, Endpoint: address},
	}, nil
}

// noteUnpinned says what pinned settings of TLS leave to a task that names an endpoint of its own.
func (r *route) noteUnpinned(agent config.Agent, tls config.TLS) {
	if agent.DomainSocket != "" {
		r.notes = append(r.notes, "MESOS_DOMAIN_SOCKET is not used: agent.tls.mode is on, and the socket has no TLS; to use it set agent.domain_socket in place of agent.tls")
	}
	switch {
	case !tls.Verify:
		r.notes = append(r.notes, "agent.tls.verify is false and agent.endpoint is not set: a task can name another server, which gets the executor's token; set agent.endpoint")
	case tls.CAFile == "" && tls.CADir == "" && tls.ServerName == "":
		r.notes = append(r.notes, "agent.endpoint is not set: a task can name another server, whose address any authority of the host's may have certified; set agent.endpoint or agent.tls.ca_file")
	}
}

// logNotes says what an operator should know of the way although it is no error.
func (r route) logNotes(log *slog.Logger) {
	for _, note := range r.notes {
		log.Warn("the way to the agent", "note", note)
	}
	if r.secure == nil {
		return
	}
	for _, note := range r.secure.Notes() {
		log.Warn("TLS to the agent", "note", note)
	}
}
