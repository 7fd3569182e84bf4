package localagent_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/localagent"
)

// listener plays the executor's registered libprocess listener.
func listener(t *testing.T) (net.Listener, <-chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 8)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
				raw, _ := io.ReadAll(conn)
				got <- string(raw)
			})
		}
	})
	t.Cleanup(func() { l.Close(); served.Wait() })
	return l, got
}

func registerPid(t *testing.T, agent *localagent.Agent, address string) {
	t.Helper()
	pids := filepath.Join(strings.Replace(agent.Sandbox(), "/slaves/", "/meta/slaves/", 1), "pids")
	if err := os.WriteFile(filepath.Join(pids, "libprocess.pid"), []byte("executor(1)@"+address), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRestartWithRecovery(t *testing.T) {
	for _, mode := range []localagent.Mode{localagent.DropIn, localagent.Custom} {
		t.Run(string(mode), func(t *testing.T) {
			agent, c := start(t, localagent.Options{Mode: mode, ReregistrationTimeout: 500 * time.Millisecond})
			l, posted := listener(t)
			registerPid(t, agent, l.Addr().String())
			s := c.subscribe()
			s.expect(first...)
			agent.WithholdAcks(true)
			starting := c.status(mesos.TASK_STARTING)
			c.update(starting)

			done := make(chan error, 1)
			go func() {
				done <- agent.Restart(t.Context(), localagent.Restart{Down: 50 * time.Millisecond, Recovery: 100 * time.Millisecond})
			}()
			s.broken()
			agent.WithholdAcks(false)
			var again *subscription
			unavailable := false
			for again == nil {
				var code int
				again, code, _, _ = c.trySubscribe(nil, starting)
				unavailable = unavailable || code == 503
			}
			if !unavailable {
				t.Error("SUBSCRIBE was never answered 503 during recovery")
			}
			again.expect(executor.Event_SUBSCRIBED, executor.Event_ACKNOWLEDGED)
			running := c.call(executor.Call_UPDATE)
			running.Update = &executor.Call_Update{Status: c.status(mesos.TASK_RUNNING)}
			if code, _ := c.post(running); code != 503 {
				t.Errorf("UPDATE within the re-registration window was answered %d, want 503", code)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if code, text := c.post(running); code != 202 {
				t.Errorf("UPDATE after recovery was answered %d %s", code, text)
			}
			if mode == localagent.DropIn {
				checkReconnect(t, agent, posted)
			}
			noViolations(t, agent)
		})
	}
}

func checkReconnect(t *testing.T, agent *localagent.Agent, posted <-chan string) {
	t.Helper()
	messages := []string{<-posted, <-posted}
	if messages[0] != "" { // the two are read at the same time
		messages[0], messages[1] = messages[1], messages[0]
	}
	if messages[0] != "" {
		t.Errorf("no empty probe connection, but %q", messages[0])
	}
	for _, want := range []string{
		"POST /executor(1)/mesos.internal.ReconnectExecutorMessage HTTP/1.1\r\n", "Transfer-Encoding: chunked\r\n",
		"Libprocess-From: slave(1)@" + agent.Endpoint() + "\r\n", agent.IDs().AgentID,
	} {
		if !strings.Contains(messages[1], want) {
			t.Errorf("the message lacks %q:\n%s", want, messages[1])
		}
	}
}

func TestRestartThatForgets(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options localagent.Options
		restart localagent.Restart
		text    string
	}{
		{"drop-in without libprocess.pid", localagent.Options{}, localagent.Restart{}, "Executor cannot be found"},
		{"custom without checkpoint", localagent.Options{Mode: localagent.Custom, NoCheckpoint: true}, localagent.Restart{}, "Executor cannot be found"},
		{"executor", localagent.Options{Mode: localagent.Custom}, localagent.Restart{Forget: localagent.ForgetExecutor}, "Executor cannot be found"},
		{"framework", localagent.Options{Mode: localagent.Custom}, localagent.Restart{Forget: localagent.ForgetFramework}, "Framework cannot be found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stopped := ""
			tt.options.StopContainer = func(_ context.Context, name string) error { stopped = name; return nil }
			agent, c := start(t, tt.options)
			c.subscribe().expect(first...)
			if err := agent.Restart(t.Context(), tt.restart); err != nil {
				t.Fatal(err)
			}
			if _, code, text, err := c.trySubscribe(nil); err != nil || code != 400 || text != tt.text {
				t.Errorf("SUBSCRIBE: %d %q %v, want 400 %q", code, text, err, tt.text)
			}
			status := agent.Statuses()
			if len(status) != 1 || status[0].GetState() != mesos.TASK_FAILED || status[0].GetReason() != mesos.REASON_EXECUTOR_TERMINATED {
				t.Errorf("statuses %v", status)
			}
			if tt.options.Mode == "" && stopped != agent.ContainerName() {
				t.Errorf("stopped container %q, want the orphan %q", stopped, agent.ContainerName())
			}
			noViolations(t, agent)
		})
	}
}

func TestTaskThatNeverArrivedIsDroppedAfterARestart(t *testing.T) {
	agent, c := start(t, localagent.Options{Mode: localagent.Custom, ReregistrationTimeout: 300 * time.Millisecond})
	c.subscribe().expect(executor.Event_SUBSCRIBED)
	done := make(chan error, 1)
	go func() { done <- agent.Restart(t.Context(), localagent.Restart{}) }()
	var s *subscription
	for s == nil {
		s, _, _, _ = c.trySubscribe(nil) // without the task: LAUNCH was not read
		if s != nil && agent.Count(localagent.Note, "restart") < 2 {
			s = nil // that was the agent before the restart
		}
	}
	s.expect(executor.Event_SHUTDOWN)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if status := agent.Statuses(); len(status) != 1 || status[0].GetState() != mesos.TASK_DROPPED {
		t.Errorf("statuses %v", status)
	}
}
