package main

import (
	"fmt"
	"strings"
	"testing"

	"mesos-docker-executor/executor/agenttls/tlstest"
	"mesos-docker-executor/executor/config"
)

// way makes the route of an executor whose environment names the agent 10.0.0.5:5051.
func way(t *testing.T, keys, socket string, ssl ...string) (route, error) {
	t.Helper()
	file, err := config.Parse("c.yaml", []byte("version: 1\nagent: {"+keys+"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	agent := config.Agent{Endpoint: "10.0.0.5:5051", SlavePID: "slave(3)@10.0.0.5:5051", DomainSocket: socket}
	run := config.Run{Path: "/work/slaves/S/frameworks/F/executors/E/runs/C"}
	var environ []string
	for _, v := range ssl {
		environ = append(environ, "LIBPROCESS_SSL_"+v)
	}
	return newRoute(environ, agent, file, run)
}

func TestRouteToTheAgent(t *testing.T) {
	ca := tlstest.WriteAuthority(t, tlstest.NewAuthority(t, "authority"))
	const plain, pinned, local = "http://10.0.0.5:5051/api/v1/executor", "10.0.0.9:5051", "http://agent/slave(3)/api/v1/executor"
	for name, c := range map[string]struct {
		keys, socket string
		ssl          []string
		want         string // URL, socket, whether secure, whether pinned
	}{
		"environment":                         {want: plain + "  false false"},
		"environment with TLS":                {ssl: []string{"ENABLED=1"}, want: "https://10.0.0.5:5051/api/v1/executor  true false"},
		"environment with a socket":           {socket: "/run/a.sock", want: local + " /run/a.sock false false"},
		"the socket needs no TLS":             {socket: "/run/a.sock", ssl: []string{"ENABLED=1", "VERIFY_CERT=1", "CA_FILE=/none"}, want: local + " /run/a.sock false false"},
		"pinned endpoint":                     {keys: "endpoint: '" + pinned + "'", want: "http://" + pinned + "/api/v1/executor  false true"},
		"pinned endpoint, socket of the task": {keys: "endpoint: '" + pinned + "'", socket: "/sandbox/a.sock", want: "http://" + pinned + "/api/v1/executor  false true"},
		"pinned socket":                       {keys: "domain_socket: /run/b.sock", socket: "/sandbox/a.sock", want: local + " /run/b.sock false true"},
		"pinned TLS":                          {keys: "tls: {mode: on, ca_file: " + ca + "}", ssl: []string{"ENABLED=0"}, want: "https://10.0.0.5:5051/api/v1/executor  true false"},
		"pinned plain HTTP":                   {keys: "tls: {mode: off}", ssl: []string{"ENABLED=1", "KEY_FILE=/etc/shadow", "CIPHERS=x"}, want: plain + "  false false"},
	} {
		r, err := way(t, c.keys, c.socket, c.ssl...)
		if got := fmt.Sprintf("%s %s %v %v", r.url, r.socket, r.secure != nil, r.target.Pinned); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
}

func TestRouteWithUnusableTLSNamesTheSetting(t *testing.T) {
	for _, c := range []struct {
		keys string
		ssl  []string
		want string
	}{
		{"", []string{"ENABLED=maybe"}, "LIBPROCESS_SSL_ENABLED"},
		{"", []string{"ENABLED=1", "VERIFY_CERT=1", "CA_FILE=/work/slaves/other/ca.pem"}, "LIBPROCESS_SSL_CA_FILE"},
		{"tls: {mode: on, ca_dir: /none}", nil, "agent.tls.ca_dir"},
	} {
		if _, err := way(t, c.keys, "", c.ssl...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v", c.keys, c.ssl, err)
		}
	}
}
