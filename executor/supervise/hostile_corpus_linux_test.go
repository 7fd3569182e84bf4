package supervise

import (
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// TestRefusedHostileTasksAskNothingOfTheEngine launches a hostile task of each rule that refuses some, with a server in the
// engine's place that notes what it is asked for: what is never asked for is never created.
func TestRefusedHostileTasksAskNothingOfTheEngine(t *testing.T) {
	files, err := filepath.Glob("../../testdata/tasks/hostile/*.json")
	if err != nil {
		t.Fatal(err)
	}
	host, asked := notedEngine(t)
	rules := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rule := refusingRule(t, text)
		if rule == "" || rules[rule] {
			continue
		}
		rules[rule] = true
		t.Run(rule, func(t *testing.T) {
			l := begin(t, withHost(host))
			l.launch(string(text))
			l.await(mesos.TASK_ERROR)
			select {
			case got := <-l.exit:
				if got != 1 {
					t.Errorf("exit status %d", got)
				}
			case <-time.After(soonEnough):
				t.Fatal("the executor does not exit")
			}
			for _, request := range asked() {
				t.Errorf("the engine is asked for %s", request)
			}
		})
	}
	if len(rules) < 40 {
		t.Errorf("only %d rules refuse a hostile task", len(rules))
	}
}

// refusingRule is the first rule that refuses a task, "" if none does.
func refusingRule(t *testing.T, text []byte) string {
	t.Helper()
	info, err := task.FromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := info.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	in := task.Inputs{Mode: task.DropIn, ContainerName: "mesos-1", Sandbox: "/no/sandbox", SandboxSource: "/no/lease"}
	for _, f := range task.Decide(raw, in, security.BuiltIn()).Findings {
		if f.Action == security.Reject {
			return f.Rule
		}
	}
	return ""
}

// notedEngine answers pings, and nothing else. asked returns what it was asked for since the last time, but for what says whether it
// is there and what it can do: an executor looks for that when it starts.
func notedEngine(t *testing.T) (host string, asked func() []string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var noted []string
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case "_ping":
			w.Header().Set("Api-Version", "1.41")
			return
		case "info", "version":
		default:
			mu.Lock()
			defer mu.Unlock()
			noted = append(noted, r.Method+" "+r.URL.Path)
		}
		http.Error(w, "no", http.StatusInternalServerError)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "unix://" + socket, func() []string {
		mu.Lock()
		defer mu.Unlock()
		said := noted
		noted = nil
		return said
	}
}
