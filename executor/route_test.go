package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
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
	run := config.Run{Path: "/mesos/slaves/S/frameworks/F/executors/E/runs/C", WorkDir: "/mesos"}
	var environ []string
	for _, v := range ssl {
		environ = append(environ, "LIBPROCESS_SSL_"+v)
	}
	return newRoute(environ, agent, file, run)
}

func TestRouteToTheAgent(t *testing.T) {
	ca := tlstest.WriteAuthority(t, tlstest.NewAuthority(t, "authority"))
	socket, other := filepath.Join(t.TempDir(), "agent.sock"), filepath.Join(t.TempDir(), "link.sock")
	listenUnix(t, socket)
	if err := os.Symlink(socket, other); err != nil {
		t.Fatal(err)
	}
	const plain, pinned, local = "http://10.0.0.5:5051/api/v1/executor", "10.0.0.9:5051", "http://agent/slave(3)/api/v1/executor"
	for name, c := range map[string]struct {
		keys, socket string
		ssl          []string
		want         string // URL, socket, whether secure, whether pinned
	}{
		"environment":                         {want: plain + "  false false"},
		"environment with TLS":                {ssl: []string{"ENABLED=1"}, want: "https://10.0.0.5:5051/api/v1/executor  true false"},
		"environment with a socket":           {socket: socket, want: local + " " + socket + " false false"},
		"environment with a link to one":      {socket: other, want: local + " " + socket + " false false"},
		"environment with none":               {socket: "/none/a.sock", want: local + " /none/a.sock false false"},
		"the socket needs no TLS":             {socket: socket, ssl: []string{"ENABLED=1", "VERIFY_CERT=1", "CA_FILE=/none"}, want: local + " " + socket + " false false"},
		"pinned endpoint":                     {keys: "endpoint: '" + pinned + "'", want: "http://" + pinned + "/api/v1/executor  false true"},
		"pinned endpoint, socket of the task": {keys: "endpoint: '" + pinned + "'", socket: "/sandbox/a.sock", want: "http://" + pinned + "/api/v1/executor  false true"},
		"pinned socket":                       {keys: "domain_socket: /run/b.sock", socket: "/sandbox/a.sock", want: local + " /run/b.sock false true"},
		"pinned TLS":                          {keys: "tls: {mode: on, ca_file: " + ca + "}", ssl: []string{"ENABLED=0"}, want: "https://10.0.0.5:5051/api/v1/executor  true false"},
		"pinned TLS, socket of the task":      {keys: "tls: {mode: on, ca_file: " + ca + "}", socket: socket, want: "https://10.0.0.5:5051/api/v1/executor  true false"},
		"all pinned, socket of the task":      {keys: "endpoint: '" + pinned + "', tls: {mode: on, ca_file: " + ca + "}", socket: socket, want: "https://" + pinned + "/api/v1/executor  true true"},
		"pinned plain HTTP, socket":           {keys: "tls: {mode: off}", socket: socket, want: local + " " + socket + " false false"},
		"pinned plain HTTP":                   {keys: "tls: {mode: off}", ssl: []string{"ENABLED=1", "KEY_FILE=/etc/shadow", "CIPHERS=x"}, want: plain + "  false false"},
	} {
		r, err := way(t, c.keys, c.socket, c.ssl...)
		if got := fmt.Sprintf("%s %s %v %v", r.url, r.socket, r.secure != nil, r.target.Pinned); err != nil || got != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
}

func listenUnix(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func TestRouteSaysWhatPinnedTLSLeavesToTasks(t *testing.T) {
	ca := tlstest.WriteAuthority(t, tlstest.NewAuthority(t, "authority"))
	for _, c := range []struct{ keys, socket, want string }{
		{"tls: {mode: on, ca_file: " + ca + "}", "", ""},
		{"tls: {mode: on, ca_file: " + ca + "}", "/run/a.sock", "MESOS_DOMAIN_SOCKET is not used"},
		{"tls: {mode: on}", "", "any authority of the host's"},
		{"tls: {mode: on, verify: false}", "", "which gets the executor's token"},
		{"endpoint: '10.0.0.9:5051', tls: {mode: on, verify: false}", "/run/a.sock", ""},
		{"tls: {mode: off}", "/run/a.sock", ""},
	} {
		r, err := way(t, c.keys, c.socket)
		notes := strings.Join(r.notes, "\n")
		if err != nil || (notes == "") != (c.want == "") || !strings.Contains(notes, c.want) {
			t.Errorf("%s %s: %v\n%s", c.keys, c.socket, err, notes)
		}
	}
}

// wrongFile writes a config.yaml and returns what a run makes of it, given an environment of a task's.
func wrongFile(t *testing.T, text string) (r route, unfit, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, unfit, err := loadConfig(path)
	if err != nil {
		return route{}, unfit, err
	}
	agent := config.Agent{Endpoint: "203.0.113.9:5051", SlavePID: "slave(1)@203.0.113.9:5051", DomainSocket: "/sandbox/a.sock"}
	r, err = newRoute(nil, agent, file, config.Run{WorkDir: "/mesos"})
	return r, unfit, err
}

func TestTypoInTheConfigurationKeepsThePinnedAgent(t *testing.T) {
	r, unfit, err := wrongFile(t, "version: 1\nlog_drian: 2s\nagent:\n  endpoint: 10.0.0.5:5051\n  tls:\n    mode: on\n")
	if err != nil || unfit == nil || !strings.Contains(unfit.Error(), "log_drian") || r.url != "https://10.0.0.5:5051/api/v1/executor" || r.secure == nil || !r.target.Pinned {
		t.Errorf("%+v, %v, %v", r, unfit, err)
	}
	r, unfit, err = wrongFile(t, "version: 1\nlog_drain: 2\n") // pins nothing
	if err != nil || unfit == nil || r.socket != "/sandbox/a.sock" || r.target.Pinned {
		t.Errorf("%+v, %v, %v", r, unfit, err)
	}
}

func TestNobodyIsContactedWhenThePinnedAgentIsNotKnown(t *testing.T) {
	for _, text := range []string{
		"version: 1\nagent:\n  endpiont: 10.0.0.5:5051\n", "version: 1\nagnet:\n  endpoint: 10.0.0.5:5051\n",
		"version: 1\nagent: {endpoint: '10.0.0.5:5051'", "agent: {endpoint: '10.0.0.5:5051'}\n",
	} {
		if r, unfit, err := wrongFile(t, text); err == nil || unfit != nil || !strings.Contains(err.Error(), "no agent is contacted") || !strings.Contains(err.Error(), "config.yaml:") {
			t.Errorf("%s: %s, %v, %v", text, r.url, unfit, err)
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
		{"", []string{"ENABLED=1", "VERIFY_CERT=1", "CA_FILE=/mesos/slaves/other/ca.pem"}, "LIBPROCESS_SSL_CA_FILE"},
		{"tls: {mode: on, ca_dir: /none}", nil, "agent.tls.ca_dir"},
	} {
		if _, err := way(t, c.keys, "", c.ssl...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v", c.keys, c.ssl, err)
		}
	}
}
