package endtoend

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/agenttls/tlstest"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/trust/trusttest"
)

const secret = "s3cr3t.of.the-executor"

// showsNothing checks that no secret and no setting of the agent's side is where a task or its framework can read it.
func (r *run) showsNothing(secrets ...string) {
	r.t.Helper()
	for _, name := range []string{"stdout", "stderr", "mesos-docker-executor.log"} {
		for _, s := range secrets {
			if strings.Contains(r.file(name), s) {
				r.t.Errorf("%s holds %q", name, s)
			}
		}
	}
	for _, s := range r.Statuses() {
		for _, secret := range secrets {
			if strings.Contains(s.String(), secret) {
				r.t.Errorf("%v holds %q", s.GetState(), secret)
			}
		}
	}
}

// Test-case row 54 of the agent's own tests (SlaveTest.RestartSlaveRequireExecutorAuthentication), over TLS.
func TestTaskSurvivesAnAgentThatComesBackDemandingTheToken(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		authority := tlstest.NewAuthority(t, "authority")
		ca := tlstest.WriteAuthority(t, authority)
		certFile, keyFile := tlstest.WritePair(t, authority.Issue(t, tlstest.Leaf{Name: "executor"}))
		r := launch(t, mode, shell(t, "env; echo ready; sleep 600"), func(o *localagent.Options) {
			o.Token, o.TokenOptional = secret, true
			o.TLS = &tls.Config{
				Certificates: []tls.Certificate{authority.Issue(t, tlstest.Leaf{IPs: []string{"127.0.0.1"}})},
				ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(), MaxVersion: tls.VersionTLS12,
			}
			o.Environment = map[string]string{
				"LIBPROCESS_SSL_ENABLED": "true", "LIBPROCESS_SSL_VERIFY_SERVER_CERT": "true", "LIBPROCESS_SSL_VERIFY_IPADD": "true",
				"LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME": "openssl", "LIBPROCESS_SSL_CA_FILE": ca,
				"LIBPROCESS_SSL_CERT_FILE": certFile, "LIBPROCESS_SSL_KEY_FILE": keyFile,
			}
		})
		r.state(mesos.TASK_RUNNING)
		r.awaitOutput("ready")
		r.RequireToken()
		if err := r.Restart(r.ctx, localagent.Restart{Down: 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		grace := time.Duration(0)
		r.Kill(&grace)
		r.ends(mesos.TASK_KILLED, 0)
		r.wantSequence("STARTING RUNNING KILLING KILLED")
		r.showsNothing(secret, "LIBPROCESS_SSL", keyFile)
		r.nothingLeft()
	})
}

// Test-case row 65 (ExecutorDomainSockets). The embedded agent refuses all other paths.
func TestTaskRunsOverTheAgentsUnixSocket(t *testing.T) {
	inBothModes(t, func(t *testing.T, mode localagent.Mode) {
		socket := filepath.Join(t.TempDir(), "agent.sock")
		r := launch(t, mode, shell(t, "env; sleep 600"), func(o *localagent.Options) {
			o.Token, o.DomainSocket = secret, socket
			// Nothing answers there, and TLS does not matter on the socket.
			o.Environment = map[string]string{"LIBPROCESS_SSL_ENABLED": "true", "LIBPROCESS_SSL_CA_FILE": "/none"}
		})
		r.state(mesos.TASK_RUNNING)
		if err := r.Restart(r.ctx, localagent.Restart{Down: 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		grace := time.Duration(0)
		r.Kill(&grace)
		r.ends(mesos.TASK_KILLED, 0)
		r.showsNothing(secret, "LIBPROCESS_SSL", "MESOS_DOMAIN_SOCKET")
		if log := r.file("mesos-docker-executor.log"); !strings.Contains(log, "agent trusted") || !strings.Contains(log, socket) {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestUnusableSettingsOfTLSEndTheExecutorWithTheReason(t *testing.T) {
	r := launch(t, localagent.DropIn, shell(t, "true"), func(o *localagent.Options) {
		o.Environment = map[string]string{"LIBPROCESS_SSL_ENABLED": "true", "LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_CA_FILE": "/none/ca.pem"}
	})
	r.exits(2)
	if text := r.file("stderr"); !strings.Contains(text, `LIBPROCESS_SSL_CA_FILE: "/none/ca.pem" cannot be used`) {
		t.Errorf("stderr: %s", text)
	}
}

// A task of drop-in mode that leads the executor to a server of its own: here one that passes everything on to the agent.
func TestAgentNamedByTheTaskIsServedButNotTrusted(t *testing.T) {
	via, connect := forwarder(t)
	command := fmt.Sprintf(`{"shell": true, "value": "true", "environment": {"variables": [
		{"name": "MESOS_AGENT_ENDPOINT", "value": %q}, {"name": "MESOS_SLAVE_PID", "value": "slave(1)@%s"}]}}`, via, via)
	r := prepare(t, localagent.DropIn, parse(t, withCommand(command, enginetest.Image)))
	connect(r.Endpoint())
	r.start()
	r.ends(mesos.TASK_FINISHED, 0)
	var lines []string
	for line := range strings.Lines(r.file("stderr")) {
		if strings.Contains(line, "not trusted") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], via+" is listened on by a process that did not start the executor") || !strings.Contains(lines[0], "agent.endpoint") {
		t.Errorf("stderr:\n%s", r.file("stderr"))
	}
}

func TestAgentPinnedInTheConfigurationIsNotReplacedByTheTask(t *testing.T) {
	via, connect := forwarder(t)
	const command = `{"shell": true, "value": "true", "environment": {"variables": [
		{"name": "MESOS_AGENT_ENDPOINT", "value": "127.0.0.1:1"}, {"name": "MESOS_SLAVE_PID", "value": "slave(1)@127.0.0.1:1"},
		{"name": "MESOS_DOMAIN_SOCKET", "value": "/none"}, {"name": "LIBPROCESS_SSL_ENABLED", "value": "1"}, {"name": "LIBPROCESS_SSL_KEY_FILE", "value": "/etc/shadow"}]}}`
	r := prepare(t, localagent.DropIn, parse(t, withCommand(command, enginetest.Image)), func(o *localagent.Options) {
		pinned := configFile(t, t.TempDir())
		f, err := os.OpenFile(pinned, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fmt.Fprintf(f, "agent: {endpoint: %q, tls: {mode: off}}\n", via)
		o.Arguments = []string{"--config=" + pinned}
	})
	connect(r.Endpoint())
	r.start()
	r.ends(mesos.TASK_FINISHED, 0)
	if text := r.file("stderr"); strings.Contains(text, "not trusted") {
		t.Errorf("stderr:\n%s", text)
	}
}

// The agent of such a file is not known, and the environment's may be a task's.
func TestConfigurationWithAnUnreadableAgentContactsNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nagent: {endpiont: '127.0.0.1:1'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := launch(t, localagent.DropIn, shell(t, "true"), func(o *localagent.Options) { o.Token, o.Arguments = secret, []string{"--config=" + path} })
	r.exits(2)
	if text := r.file("stderr"); !strings.Contains(text, "agent.endpiont: is an unknown key") || !strings.Contains(text, "no agent is contacted") {
		t.Errorf("stderr: %s", text)
	}
	if events := fmt.Sprint(r.Timeline()); strings.Contains(events, "SUBSCRIBE") {
		t.Errorf("timeline: %s", events)
	}
}

// forwarder starts a process that listens on an address and passes connections on, once it is told where to.
func forwarder(t *testing.T) (address string, connect func(to string)) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), forwarding+"=1")
	address, in := trusttest.Start(t, cmd)
	return address, func(to string) { fmt.Fprintln(in, to) }
}

const forwarding = "ENDTOEND_FORWARDER"

// forward is what the process does, until its input ends.
func forward() int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Addr())
	in := bufio.NewReader(os.Stdin)
	to, _ := in.ReadString('\n')
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go pass(from, strings.TrimSpace(to))
		}
	}()
	io.Copy(io.Discard, in)
	return 0
}

func pass(from net.Conn, address string) {
	defer from.Close()
	to, err := net.Dial("tcp4", address)
	if err != nil {
		return
	}
	go func() {
		io.Copy(to, from)
		to.Close()
	}()
	io.Copy(from, to)
}
