package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/urfave/cli/v2"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/localagent"
)

func TestOutputIsCutIntoLinesAndExecutorLinesAreTold(t *testing.T) {
	lines := make(chan logLine, 100)
	s := splitter{source: "stderr", to: lines}
	long := strings.Repeat("x", maxLine+1)
	for _, part := range []string{"one\ntw", "o\r\n\n", linePrefix + "pulling\n", long, "\nend"} {
		if n, err := s.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	s.flush()
	close(lines)
	var got []string
	for l := range lines {
		got = append(got, l.source+" "+l.text)
	}
	want := []string{"stderr one", "stderr two", "stderr ", "executor pulling", "stderr " + long[:maxLine], "stderr x", "stderr end"}
	if !slices.Equal(got, want) {
		t.Errorf("got %.100q\nwant %.100q", got, want)
	}
}

// samples are one of each kind of happening.
func samples(d display) {
	state, reason := mesos.TASK_RUNNING, mesos.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED
	healthy, ip, text, class := true, "172.17.0.2", "two\nlines", uint32(0x00100101)
	status := &mesos.TaskStatus{
		State: &state, Reason: &reason, Message: &text, Healthy: &healthy, Source: mesos.SOURCE_EXECUTOR.Enum(),
		ContainerStatus: &mesos.ContainerStatus{NetworkInfos: []mesos.NetworkInfo{{IPAddresses: []mesos.NetworkInfo_IPAddress{{IPAddress: &ip}}}},
			CgroupInfo: &mesos.CgroupInfo{NetCLS: &mesos.CgroupInfo_NetCls{ClassID: &class}}},
	}
	at := time.Now()
	d.begin("a task")
	d.entry(localagent.Entry{At: at, Kind: localagent.Call, Name: "SUBSCRIBE", Code: 200})
	d.entry(localagent.Entry{At: at, Kind: localagent.Call, Name: "UPDATE", Code: 202})
	d.entry(localagent.Entry{At: at, Kind: localagent.Call, Name: "UPDATE", Code: 503, Text: "not yet"})
	d.entry(localagent.Entry{At: at, Kind: localagent.Event, Name: "LAUNCH", Text: "task"})
	d.entry(localagent.Entry{At: at, Kind: localagent.Status, Name: "TASK_RUNNING", Text: text, Status: status})
	d.entry(localagent.Entry{At: at, Kind: localagent.Violation, Name: "protocol", Text: "bad"})
	d.line(logLine{at, "stdout", "bell \a"})
	d.result(outcome{state: mesos.TASK_FAILED, ended: true, reason: "REASON_X", message: "all bad, 2 problems: (1) a (b) (2) c", status: exitFail})
}

func TestTextDisplayAlignsAndPassesOutputOnInAPipe(t *testing.T) {
	var out bytes.Buffer
	samples(newDisplay(&out, false, false))
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimRight(line[9:], "\n")) // behind the seconds
	}
	want := []string{
		"  try        a task",
		"  -> agent   SUBSCRIBE",
		"  -> agent   UPDATE refused: 503  not yet",
		"  agent ->   LAUNCH  task",
		"  -> agent   TASK_RUNNING  REASON_TASK_HEALTH_CHECK_STATUS_UPDATED  healthy=true  172.17.0.2  class 0x00100101  two",
		"             lines",
		"  agent      protocol violation:  bad",
		"  stdout |   bell \a",
		"  result     TASK_FAILED, exit status 1: REASON_X: a (b) (and 1 more)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTerminalShowsEscapesInsteadOfActingOnThem(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext, déjà vu":  "plain\ttext, déjà vu",
		"\x1b[2J\x1b]0;title\a": `\x1b[2J\x1b]0;title\a`,
		"a\rb\x00":              `a\rb\x00`,
		"\u009b31m":             `\u009b31m`,
		"\x9b31m \ufffd":        `\x9b31m ` + "\ufffd",
		"\u202egnp.exe":         `\u202egnp.exe`,
	} {
		var out bytes.Buffer
		d := newDisplay(&out, true, false)
		d.line(logLine{time.Now(), "stdout", in})
		if got := out.String(); !strings.HasSuffix(got, "stdout |   "+want+"\n") {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestEachProblemHasItsLine(t *testing.T) {
	refusal := "The policy refuses the task, 3 problems: (1) a (x) (2) b (3) c"
	for message, want := range map[string][]string{
		refusal:             {"The policy refuses the task, 3 problems:", "(1) a (x)", "(2) b", "(3) c"},
		"failed (1) time":   {"failed (1) time"},
		"":                  {""},
		"(2) without first": {"(2) without first"},
	} {
		if got := problemLines(message); !slices.Equal(got, want) {
			t.Errorf("%q: %q", message, got)
		}
	}
	for message, want := range map[string]string{refusal: "a (x) (and 2 more)", "one\nmore": "one"} {
		if got := firstProblem(message); got != want {
			t.Errorf("%q: %q", message, got)
		}
	}
}

func TestOutputRemembersItsFirstError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	out := newOutput(full)
	for range 2 {
		newDisplay(out, false, true).note("text")
	}
	<-out.failed
	if !errors.Is(out.err, syscall.ENOSPC) {
		t.Errorf("error %v", out.err)
	}
}

func TestWorkThatWasLeftIsSweptAndNothingElse(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, name := range []string{workPrefix + "left/agent/slaves/s/frameworks/f/executors/e/runs/r", keptPrefix + "kept", "other"} {
		if err := os.MkdirAll(filepath.Join(temp, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("other", filepath.Join(temp, workPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	first, err := openWork(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	second, err := openWork(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	names := func() []string {
		entries, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	want := []string{filepath.Base(first.path), filepath.Base(second.path), workPrefix + "link", keptPrefix + "kept", "other"}
	slices.Sort(want)
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	if err := errors.Join(first.remove(), second.remove()); err != nil || len(names()) != 3 {
		t.Errorf("%v, left: %q", err, names())
	}
}

func TestJSONDisplayPrintsAnObjectPerLine(t *testing.T) {
	var out bytes.Buffer
	samples(newDisplay(&out, false, true))
	var got []string
	for line := range strings.Lines(out.String()) {
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		var seconds float64
		if err := json.Unmarshal(object["t"], &seconds); err != nil || seconds < 0 {
			t.Errorf("t is %s in %s", object["t"], line)
		}
		delete(object, "t")
		for kind, value := range object {
			got = append(got, kind+" "+string(value))
		}
	}
	want := []string{
		`event {"from":"try","name":"note","text":"a task"}`,
		`event {"from":"executor","name":"SUBSCRIBE","code":200}`,
		`event {"from":"executor","name":"UPDATE","text":"not yet","code":503}`,
		`event {"from":"agent","name":"LAUNCH","text":"task"}`,
		`status {"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","reason":"REASON_TASK_HEALTH_CHECK_STATUS_UPDATED","message":"two\nlines","healthy":true,"ips":["172.17.0.2"],"class_id":"0x00100101"}`,
		`event {"from":"agent","name":"protocol violation","text":"bad"}`,
		`log {"from":"stdout","line":"bell \u0007"}`,
		`result {"state":"TASK_FAILED","reason":"REASON_X","message":"all bad, 2 problems: (1) a (b) (2) c","exit_status":1}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFlagsMayStandBehindTheTask(t *testing.T) {
	for _, tt := range []struct {
		args       []string
		path, mode string
		after      time.Duration
		err        string
	}{
		{args: []string{"x.json"}, path: "x.json", mode: "drop-in"},
		{args: []string{"--mode", "custom", "x.json", "--kill-after", "3s"}, path: "x.json", mode: "custom", after: 3 * time.Second},
		{args: []string{"x.json", "--mode=custom", "--json"}, path: "x.json", mode: "custom"},
		{args: []string{}, err: "needs a task file"},
		{args: []string{"x.json", "y.json"}, err: `"y.json" is one more`},
		{args: []string{"x.json", "--kill-after", "soon"}, err: "such as 3s"},
		{args: []string{"x.json", "--kill-after", "3secs"}, err: "the units are ms, s, m and h"},
		{args: []string{"x.json", "--kill-after", "3"}, err: "write 3s for seconds"},
		{args: []string{"x.json", "--kill-after", "0s"}, err: "longer than 0s"},
		{args: []string{"x.json", "--timeout", "-1s"}, err: "longer than 0s"},
		{args: []string{"x.json", "--bogus"}, err: "bogus"},
		{args: []string{"x.json", "--help"}, err: flag.ErrHelp.Error()},
	} {
		command := tryCommand()
		reached := false
		command.Action = func(c *cli.Context) error {
			reached = true
			path, err := onlyArgument(c)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%q: error %v, want %q", tt.args, err, tt.err)
				}
			case err != nil || path != tt.path || c.String("mode") != tt.mode || c.Duration("kill-after") != tt.after || c.IsSet("kill-after") != (tt.after > 0):
				t.Errorf("%q: %q mode %q after %v, %v", tt.args, path, c.String("mode"), c.Duration("kill-after"), err)
			}
			return nil
		}
		app := &cli.App{Commands: []*cli.Command{command}}
		if err := app.Run(append([]string{"x", "try"}, tt.args...)); err != nil || !reached {
			t.Errorf("%q: %v", tt.args, err)
		}
	}
}

func TestFaultsAreKeptInOrderWhereverTheyStand(t *testing.T) {
	for _, args := range [][]string{
		{"--fault", "create=hang", "--fault", "start#1=500:a, b", "x.json"},
		{"--fault", "create=hang", "x.json", "--fault", "start#1=500:a, b"},
		{"x.json", "--fault", "create=hang", "--fault=start#1=500:a, b"},
	} {
		var got faults
		command := tryCommand()
		for i, f := range command.Flags {
			if f.Names()[0] == "fault" {
				command.Flags[i] = &cli.GenericFlag{Name: "fault", Value: &got}
			}
		}
		command.Action = func(c *cli.Context) error {
			_, err := onlyArgument(c)
			return err
		}
		app := &cli.App{Commands: []*cli.Command{command}}
		if err := app.Run(append([]string{"x", "try"}, args...)); err != nil || got.String() != "create=hang\nstart#1=500:a, b" {
			t.Errorf("%q: %q, %v", args, got.String(), err)
		}
	}
}

func TestEngineIsFlagThenDockerHostThenConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nengine: {host: unix:///config.sock}\nagent: {endpoint: '10.0.0.1:5051', tls: {mode: on, ca_file: /a}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkUnusedAgent(read); err == nil || !strings.Contains(err.Error(), "/a") {
		t.Errorf("the missing file of agent.tls.ca_file: %v", err)
	}
	for _, tt := range []struct{ flag, env, want, err string }{
		{want: "unix:///config.sock"},
		{env: "unix:///env.sock", want: "unix:///env.sock"},
		{flag: "unix:///flag.sock", env: "tcp://ignored", want: "unix:///flag.sock"},
		{flag: "tcp://10.0.0.1:2375", err: "--engine"},
		{env: "tcp://10.0.0.1:2375", err: "DOCKER_HOST"},
		{env: "unix://relative", err: "DOCKER_HOST"},
	} {
		file, err := tryConfig(read, tt.flag, tt.env)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: error %v", tt, err)
			}
			continue
		}
		if err != nil || file.Engine.Host != tt.want || file.Agent != config.Default().Agent {
			t.Errorf("%+v: host %q, agent %+v, %v", tt, file.Engine.Host, file.Agent, err)
		}
	}
}

func TestResultKeepsTheTasksEndBesideWhatIsLeft(t *testing.T) {
	failed := outcome{state: mesos.TASK_FAILED, ended: true, reason: "REASON_X", message: "engine unfit", status: exitFail}
	finished := outcome{state: mesos.TASK_FINISHED, ended: true, message: "Container exited with status 0"}
	for _, tt := range []struct {
		outcome outcome
		left    []error
		status  int
		text    string
	}{
		{failed, nil, 1, "TASK_FAILED, exit status 1: REASON_X: engine unfit"},
		{failed, []error{errors.New("ping\nlist"), nil, errors.New("rm")}, 1, "TASK_FAILED, exit status 1: REASON_X: engine unfit; clean-up not done: ping; list; rm"},
		{finished, nil, 0, "TASK_FINISHED, exit status 0"},
		{finished, []error{errors.New("rm")}, 1, "TASK_FINISHED, exit status 1: Container exited with status 0; clean-up not done: rm"},
	} {
		for _, err := range tt.left {
			tt.outcome.leave(err)
		}
		var text, object bytes.Buffer
		newDisplay(&text, false, false).result(tt.outcome)
		newDisplay(&object, false, true).result(tt.outcome)
		var line jsonLine
		if err := json.Unmarshal(object.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if tt.outcome.status != tt.status || !strings.HasSuffix(text.String(), "result     "+tt.text+"\n") ||
			line.Result.Message != tt.outcome.message || line.Result.Left != tt.outcome.left {
			t.Errorf("%+v: status %d, %s%s", tt.outcome, tt.outcome.status, text.String(), object.String())
		}
	}
}

func TestFlagsInErrorsHaveTwoDashes(t *testing.T) {
	for in, want := range map[string]string{
		`invalid value "a\" for flag -b" for flag -fault: no -c`: `invalid value "a\" for flag -b" for flag --fault: no -c`,
		`invalid boolean value "3" for -json: parse error`:       `invalid boolean value "3" for --json: parse error`,
		"flag provided but not defined: -bogus":                  "flag provided but not defined: --bogus",
		"flag needs an argument: -fault":                         "flag needs an argument: --fault",
		"anything else -x":                                       "anything else -x",
	} {
		if got := dashed(errors.New(in)); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestOnlyALaunchThatNobodyConfiguredIsImpatient(t *testing.T) {
	const inFile = 20 * time.Second
	rule, err := enginefault.Parse("start=hang")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		configured bool
		faults     []enginefault.Rule
		want       time.Duration
	}{
		{want: impatience},
		{configured: true, want: inFile},
		{faults: []enginefault.Rule{rule}, want: inFile},
		{configured: true, faults: []enginefault.Rule{rule}, want: inFile},
	} {
		run := trial{configured: tt.configured, faults: tt.faults}
		run.file.Engine.LaunchWait = inFile
		if got := run.launchWait(); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestConfigurationMayBeInTheFolderOfWhoRunsACommand(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("own.yaml", []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []*cli.Command{tryCommand(), explainCommand()} {
		command.Action = func(c *cli.Context) error {
			path, err := ownPathFlag(c, "config")
			if err != nil {
				return err
			}
			_, err = readConfig(path)
			return err
		}
		app := &cli.App{Commands: []*cli.Command{command}}
		if err := app.Run([]string{"x", command.Name, "--config", "own.yaml", "x.json"}); err != nil {
			t.Errorf("%s: %v", command.Name, err)
		}
	}
}

func TestWrittenConfigurationIsReadAsItWas(t *testing.T) {
	want := config.Default()
	want.Engine.Host = "unix:///some/where.sock"
	want.LogDrain = 1500 * time.Millisecond
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := writeConfig(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestFrameworkFileIsStrict(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", `{"name": "marathon", "principal": "p", "checkpoint": true, "roles": ["web"], "capabilities": [{"type": "TASK_KILLING_STATE"}]}`)
	framework, err := frameworkFromFile(good)
	if err != nil || framework.GetPrincipal() != "p" || framework.Roles[0] != "web" || !framework.GetCheckpoint() || framework.User != "root" ||
		framework.Capabilities[0].Type != mesos.FrameworkInfo_Capability_TASK_KILLING_STATE {
		t.Errorf("got %v, %v", framework, err)
	}
	for name, text := range map[string]string{
		"field": `{"nam": "x"}`, "enum": `{"name": "x", "capabilities": [{"type": "FLYING"}]}`, "json": `{`,
	} {
		if _, err := frameworkFromFile(write(name, text)); err == nil || !strings.Contains(err.Error(), "not a FrameworkInfo") {
			t.Errorf("bad %s: error %v", name, err)
		}
	}
	if _, err := frameworkFromFile(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing file is no error")
	}
}

// A recorded task of a framework with its own executor has resources in two places, of one role.
func TestRoleThatIsNamedIsThatOfAllResources(t *testing.T) {
	was := "demo"
	recorded := func() []mesos.Resource {
		return []mesos.Resource{{Name: "cpus", AllocationInfo: &mesos.Resource_AllocationInfo{Role: &was}}}
	}
	trial := trial{task: mesos.TaskInfo{Resources: recorded(), Executor: &mesos.ExecutorInfo{Resources: recorded()}}}
	flags := flag.NewFlagSet("try", flag.ContinueOnError)
	flags.String("role", "web", "")
	trial.identify(cli.NewContext(nil, flags, nil))
	for _, r := range slices.Concat(trial.task.Resources, trial.task.Executor.Resources) {
		if r.AllocationInfo.GetRole() != "web" {
			t.Errorf("%v", r)
		}
	}
}
