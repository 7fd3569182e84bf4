package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/hostcheck"
)

// readPage is what doctor printed with --json. A status is a word there.
type readPage struct {
	Host, Status string
	Lines        []struct{ Subject, Name, Status, Text, Remedy, SHA256 string }
}

func (p readPage) line(t *testing.T, subject, name string) (status, text, hash string) {
	t.Helper()
	for _, l := range p.Lines {
		if l.Subject == subject && l.Name == name {
			return l.Status, l.Text, l.SHA256
		}
	}
	t.Fatalf("no line %s %s in %+v", subject, name, p)
	return "", "", ""
}

func doctored(t *testing.T, args ...string) (page readPage, status int) {
	t.Helper()
	out, status, complaint := commanded(nil, append([]string{"doctor", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &page); err != nil || complaint != "" {
		t.Fatalf("%v, %q: %s", err, complaint, out)
	}
	return page, status
}

func TestDoctorWithoutAnEngine(t *testing.T) {
	host := "unix://" + filepath.Join(t.TempDir(), "none.sock")
	page, status := doctored(t, "--config", doctorConfig(t, host))
	if said, text, _ := page.line(t, "engine", "daemon"); status != exitFail || page.Status != "fail" || said != "fail" || !strings.Contains(text, host) {
		t.Errorf("%d, %s: %s", status, said, text)
	}
	if said, text, hash := page.line(t, "files", "config"); said != "ok" || len(hash) != 64 || !strings.Contains(text, hash[:12]) {
		t.Errorf("%s: %s", said, text)
	}
}

func TestDoctorChecksTheFilesAsWhatTheyAreNamed(t *testing.T) {
	in := folder(t, map[string]string{
		"config": "version: 1\nengine:\n  hots: x\n",
		"policy": "version: 1\ndefaults:\n  pids_limit: many\n",
		"loose":  "version: 1\nmode: enforce\n",
	})
	if err := os.Chmod(in("loose"), 0o666); err != nil {
		t.Fatal(err)
	}
	page, status := doctored(t, "--config", in("config"), "--policy", in("policy"), "--classes", in("none"))
	if status != exitFail {
		t.Error(status)
	}
	for name, part := range map[string]string{"config": "line 3: engine.hots", "policy": "line 3: ", "classes": in("none") + ": does not exist; create it, or leave the flag --classes out"} {
		if said, text, _ := page.line(t, "files", name); said != "fail" || !strings.Contains(text, part) {
			t.Errorf("%s: %s %s", name, said, text)
		}
	}
	page, _ = doctored(t, "--policy", in("loose"))
	if said, text, _ := page.line(t, "files", "policy"); said != "fail" || !strings.Contains(text, "no task starts") {
		t.Errorf("a policy that others can change: %s %s", said, text)
	}
}

func TestDoctorGoesByTheConfigThatIsNamed(t *testing.T) {
	if !missing(classes.DefaultPath) {
		t.Fatalf("%s is there: this test is about a host without", classes.DefaultPath)
	}
	in := folder(t, map[string]string{"config": "version: 1\ncgroup: {require_classes: true}\nengine: {host: \"unix:///nowhere.sock\"}\n"})
	page, status := doctored(t, "--config", in("config"))
	if said, text, _ := page.line(t, "files", "classes"); status != exitFail || said != "fail" || !strings.Contains(text, "require_classes") || !strings.Contains(text, "no task starts") {
		t.Errorf("%s: %s", said, text)
	}
}

// doctor looks at the engine that TestTry has, as a program.
func (f tryFixture) doctor(t *testing.T) {
	config := doctorConfig(t, f.engine.Host)
	run := func() (text string, status int) {
		cmd := exec.CommandContext(t.Context(), f.binary, "doctor", "--config", config)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if text, status := run(); status != exitOK || !strings.Contains(text, "fit for tasks") || strings.Contains(text, "  fail  ") {
		t.Errorf("%d\n%s", status, text)
	}
	if err := f.engine.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.engine.Thaw(); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	text, status := run()
	if status != exitFail || !strings.Contains(text, "is stopped") || !strings.Contains(text, "-> continue it with kill -CONT") || !strings.Contains(text, "not fit for tasks") {
		t.Errorf("%d\n%s", status, text)
	}
	if took := time.Since(began); took > hostcheck.Limit {
		t.Errorf("it took %s", took)
	}
}

// doctorConfig writes a config.yaml for an engine, with which no disk is too full.
func doctorConfig(t *testing.T, engineHost string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := "version: 1\nengine:\n  host: " + engineHost + "\nrun_directory: " + filepath.Join(t.TempDir(), "run") +
		"\nstorage:\n  min_free_bytes: 0GiB\n  min_free_bytes_percent: 0\n  warn_free_bytes_percent: 0\n" +
		"  min_free_inodes: 0\n  min_free_inodes_percent: 0\n  warn_free_inodes_percent: 0\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
