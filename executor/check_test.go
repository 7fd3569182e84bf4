package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/security/policyfile"
)

// commanded runs a command and returns what it prints, its exit status and its complaint.
func commanded(stdin io.Reader, args ...string) (out string, status int, complaint string) {
	var b bytes.Buffer
	app := newApp(nil, new(int))
	app.Writer, app.Reader = &b, stdin
	err := app.Run(append([]string{"x"}, args...))
	var exit cli.ExitCoder
	switch {
	case errors.As(err, &exit):
		return b.String(), exit.ExitCode(), err.Error()
	case err != nil:
		return b.String(), exitUsage, err.Error()
	}
	return b.String(), exitOK, ""
}

// folder makes a folder with these files, of root's and for root to write.
func folder(t *testing.T, files map[string]string) func(name string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// What stands after "--" is for tasks; to leave it out would check other files than those named.
func TestOnlyRunTakesWordsAfterTwoDashes(t *testing.T) {
	for _, words := range [][]string{{"x", "check", "--", "policy.yaml"}, {"x", "--policy=built-in", "explain", "--json", "--", "task.json"}, {"x", "policy", "diff", "--", "a", "b"}} {
		app := newApp(words[len(words)-1:], new(int))
		app.Writer = io.Discard
		ours, _ := splitWords(words)
		var exit cli.ExitCoder
		if err := app.Run(ours); !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(err.Error(), ": what stands after -- is a task's command") {
			t.Errorf("%q: %v", words, err)
		}
	}
	for _, command := range []string{"", "run"} {
		if err := onlyTasksWords(command, []string{"sh"}); err != nil {
			t.Errorf("%q: %v", command, err)
		}
	}
}

const (
	goodPolicy = "version: 1\nmode: audit\ndefaults: {pids_limit: 100}\n"
	goodConfig = "version: 1\nlog_drain: 5s\n"
	badPolicy  = "version: 1\ndefaults:\n  pids_limit: -1\n  netwrk: {}\n"
	badConfig  = "version: 1\nlog_drain: 5\nrun_directry: /x\n"

	goodClasses = "version: 1\nclass_ids: preferred\nprincipals: {marathon: {app_id_trusted: true}}\nclusters:\n  gra1:\n    teams:\n      web: {major: 0x0010, apps: {shop: 0x00100100}}\n" +
		"    identities: [{match: {roles: [web]}, team: web}]\n"
	badClasses = "version: 1\nclusters:\n  gra1:\n    teams: {web: {major: 10}}\n    idnetities: []\n"
)

// Of what is read but once, a second look would find nothing.
func TestCheckRefusesWordsThatNameNoFile(t *testing.T) {
	for want, words := range map[string][]string{
		"check: only one FILE can be stdin":      {"-", "policy.yaml", "-"},
		"check: the path of a FILE is empty":     {"policy.yaml", ""},
		"check: flag provided but not defined: ": {"policy.yaml", "--wide"},
	} {
		for _, flags := range [][]string{nil, {"--json"}} {
			args := append(append([]string{"check"}, flags...), words...)
			out, status, complaint := commanded(strings.NewReader(goodPolicy), args...)
			if status != exitUsage || out != "" || !strings.HasPrefix(complaint, want) {
				t.Errorf("%q: %d %q\n%s", args, status, complaint, out)
			}
		}
	}
}

func TestCheckKnowsAFileByItsContent(t *testing.T) {
	in := folder(t, map[string]string{"good.policy": goodPolicy, "good.config": goodConfig, "policy.yaml": "version: 1\n", "config.yaml": "version: 1\n",
		"some.yaml": "version: 1\n", "empty": "", "list": "- a\n", "typo": "version: 1\ndefalts: {}\n", "typo.config": "version: 1\nengin: {}\n", "json": `{"version": 1, "defaults": {"pids_limit": 7}}`, "broken": "version: 1\nlog_drain: [\n", "bad.policy": badPolicy, "bad.config": badConfig,
		"good.classes": goodClasses, "bad.classes": badClasses, "classes.yaml": "version: 1\nclass_ids: off\n", "typo.classes": "version: 1\nclustrs: {}\n", "principals": "version: 1\nprincipals: {}\n",
		"large": goodPolicy + "#" + strings.Repeat("x", 1<<20)})
	for _, tc := range []struct {
		name   string
		status int
		want   []string
	}{
		{"good.policy", exitOK, []string{": ok (policy, sha256 " + sha256Of(goodPolicy) + ")", ":2: note: the mode is audit"}},
		{"good.config", exitOK, []string{": ok (config, sha256 " + sha256Of(goodConfig) + ")"}},
		{"good.classes", exitOK, []string{": ok (classes, sha256 " + sha256Of(goodClasses) + ")", ":2: note: class IDs are preferred: ", ":7: note: no entry of identities gives a task of team web in cluster gra1 the class of shop."}},
		{"policy.yaml", exitOK, []string{": ok (policy, "}},
		{"classes.yaml", exitOK, []string{": ok (classes, ", ":2: note: class IDs are off."}},
		{"principals", exitOK, []string{": ok (policy, "}},
		{"config.yaml", exitOK, []string{": ok (config, "}},
		{"json", exitOK, []string{": ok (policy, "}},
		{"some.yaml", exitOK, []string{": ok (policy, "}},
		{"empty", exitFail, []string{":1: version: is missing"}},
		{"list", exitFail, []string{":1: is not a list of keys; begin with the key `version`"}},
		{"typo", exitFail, []string{`:2: defalts: is an unknown key; did you mean "defaults"?`}},
		{"typo.config", exitFail, []string{":2: engin: is an unknown key; known here: version, engine, "}},
		{"typo.classes", exitFail, []string{`:2: clustrs: is an unknown key; did you mean "clusters"?`}},
		{"bad.classes", exitFail, []string{`:4: clusters.gra1.teams.web.major: "10" can be decimal or tc's hexadecimal`, `:5: clusters.gra1.idnetities: is an unknown key; did you mean "identities"?`}},
		{"broken", exitFail, []string{":2: is not valid YAML"}},
		{"large", exitFail, []string{": is larger than "}},
		{"bad.policy", exitFail, []string{":3: defaults.pids_limit: ", ":4: defaults.netwrk: "}},
		{"bad.config", exitFail, []string{":2: log_drain: ", ":3: run_directry: is an unknown key"}},
	} {
		out, status, complaint := commanded(nil, "check", in(tc.name))
		if status != tc.status || complaint != "" {
			t.Errorf("%s: %d %s\n%s", tc.name, status, complaint, out)
		}
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		if len(lines) != len(tc.want) && tc.name != "broken" {
			t.Errorf("%s: %d lines:\n%s", tc.name, len(lines), out)
		}
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", tc.name, want, out)
			}
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, in(tc.name)+":") {
				t.Errorf("%s: the line names no file: %s", tc.name, line)
			}
		}
	}
}

func TestCheckOfWhatCannotBeRead(t *testing.T) {
	in := folder(t, map[string]string{"good": goodPolicy, "huge": "version: 1\ndefaults: {}\n#" + strings.Repeat("x", largestFile)})
	if err := errors.Join(syscall.Mkfifo(in("fifo"), 0o600), os.Mkdir(in("folder"), 0o700), os.Symlink(in("nowhere"), in("dangling"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"missing":  ": cannot be opened: no such file or directory",
		"dangling": ": cannot be opened: no such file or directory",
		"folder":   ": cannot be opened: it is a folder; name a file in it",
		"fifo":     ": cannot be opened: it is not a regular file; use - to read from a pipe",
		"huge":     ": has more than 4 MiB; name another file",
	} {
		// What can be read is checked all the same.
		out, status, complaint := commanded(nil, "check", in(name), in("good"))
		if status != exitUsage || complaint != "" || !strings.HasPrefix(out, in(name)+want+"\n"+in("good")+": ok ") {
			t.Errorf("%s: %d %s\n%s", name, status, complaint, out)
		}
	}
	for args, want := range map[string]string{"--wide x": "flag provided but not defined: --wide; see --help", "x --wide": "check: flag provided but not defined: --wide; see --help"} {
		if out, status, complaint := commanded(nil, append([]string{"check"}, strings.Fields(args)...)...); out != "" || status != exitUsage || complaint != want {
			t.Errorf("%s: %d %s\n%s", args, status, complaint, out)
		}
	}
}

func TestCheckReadsStdin(t *testing.T) {
	out, status, complaint := commanded(strings.NewReader(goodPolicy), "check", "-")
	if want := "stdin: ok (policy, sha256 " + sha256Of(goodPolicy) + ")\n"; status != exitOK || !strings.HasPrefix(out, want) {
		t.Errorf("%d %s\n%s", status, complaint, out)
	}
	if out, status, _ := commanded(strings.NewReader(badConfig), "check", "-"); status != exitFail || !strings.Contains(out, "stdin:2: log_drain: ") {
		t.Errorf("%d\n%s", status, out)
	}
}

// Who may write to a file that is on its way to a host is not its content's fault; of a file of this host it is.
func TestCheckSaysThatNoExecutorWouldReadAFile(t *testing.T) {
	in := folder(t, map[string]string{"policy": goodPolicy, "config": goodConfig, "classes": goodClasses})
	if err := errors.Join(os.Chmod(in("policy"), 0o666), os.Chmod(in("config"), 0o666), os.Chmod(in("classes"), 0o666), os.Symlink(in("config"), in("link"))); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"policy":  "may be written by its group or others (mode 0666); run `chmod go-w " + in("policy") + "`",
		"config":  "may be written by its group or others (mode 0666); run `chmod go-w " + in("config") + "`",
		"classes": "may be written by its group or others (mode 0666); run `chmod go-w " + in("classes") + "`",
		"link":    "is a symbolic link; name the file itself",
	} {
		out, status, _ := commanded(nil, "check", in(name))
		if status != exitOK || !strings.Contains(out, in(name)+": warning: no executor would read it: "+want+"\n") {
			t.Errorf("%s: %d\n%s", name, status, out)
		}
		if name == "link" {
			continue
		}
		f := checkDefault(defaultFile{path: in(name), kind: name})
		if f.OK || len(f.Warnings) > 0 || len(f.Problems) != 1 || f.Problems[0].Text != want {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// In CI a policy that cannot do what it says is a mistake, and one that audits or has exceptions is none.
func TestCheckFailsOnWarningsIfItIsStrict(t *testing.T) {
	in := folder(t, map[string]string{"audit": goodPolicy, "open": goodPolicy,
		"vain":    "version: 1\nprofiles: {p: {init: true}}\n",
		"expired": "version: 1\nbreak_glass: [{match: {roles: [a]}, reason: x, expires: 2020-01-31, allow: {unconfined: [seccomp]}}]\n",
	})
	if err := os.Chmod(in("open"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"audit": "", "open": in("open") + ": warning: no executor would read it: ", "vain": in("vain") + ":2: warning: profiles.p: no task may pick it",
		"expired": in("expired") + ":2: warning: break_glass[0] (roles a; reason: x) expired on 2020-01-31",
	} {
		out, status, _ := commanded(nil, "check", in(name))
		if status != exitOK || !strings.Contains(out, want) || strings.Contains(out, ": warning: ") != (want != "") {
			t.Errorf("%s: %d\n%s", name, status, out)
		}
		for _, args := range [][]string{{"check", "--strict", in(name)}, {"check", in(name), "--strict", "--json"}} {
			if out, status, _ := commanded(nil, args...); status != map[bool]int{true: exitOK, false: exitFail}[want == ""] {
				t.Errorf("%q: %d\n%s", args, status, out)
			}
		}
	}
}

func TestCheckOfTheHostsFiles(t *testing.T) {
	in := folder(t, map[string]string{"good": goodPolicy, "bad": badPolicy, "config": goodConfig})
	for _, tc := range []struct {
		file defaultFile
		want string
	}{
		{defaultFile{in("missing"), "policy", "the built-in policy holds"}, in("missing") + ": not there: the built-in policy holds\n"},
		{defaultFile{in("good"), "policy", ""}, in("good") + ": ok (policy, sha256 " + sha256Of(goodPolicy) + ")\n"},
		{defaultFile{in("bad"), "policy", ""}, in("bad") + ":3: defaults.pids_limit: "},
		// It is taken for what an executor would take it for.
		{defaultFile{in("config"), "policy", ""}, in("config") + ":2: log_drain: "},
		{defaultFile{in("."), "policy", ""}, in(".") + ": cannot be opened: it is a folder"},
	} {
		var b bytes.Buffer
		checkDefault(tc.file).print(&b)
		if !strings.HasPrefix(b.String(), tc.want) {
			t.Errorf("%+v:\n%s", tc.file, b.String())
		}
	}
	paths := []string{config.DefaultPath, policyfile.DefaultPath, classes.DefaultPath}
	if len(defaultFiles()) != len(paths) {
		t.Error(defaultFiles())
	}
	for i, f := range defaultFiles() {
		if f.path != paths[i] || f.without == "" || !isDefaultPath(f.path) {
			t.Errorf("%+v", f)
		}
	}
}

func TestCheckPrintsOneJSONObject(t *testing.T) {
	in := folder(t, map[string]string{"good": goodPolicy, "bad": badConfig})
	out, status, complaint := commanded(nil, "check", in("good"), "--json", in("bad"), in("missing"))
	var got checked
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil || status != exitUsage || len(got.Files) != 3 {
		t.Fatalf("%v, %d %s\n%s", err, status, complaint, out)
	}
	good, bad, missing := got.Files[0], got.Files[1], got.Files[2]
	if !good.OK || good.Kind != "policy" || good.File != in("good") || good.SHA256 != sha256Of(goodPolicy) || len(good.Notes) != 1 || good.Notes[0].Line != 2 || strings.Contains(good.Notes[0].Text, "good") || good.Problems != nil {
		t.Errorf("%+v", good)
	}
	if bad.OK || bad.Kind != "config" || bad.SHA256 != "" || len(bad.Problems) != 2 || bad.Problems[0].Line != 2 || bad.Problems[0].Key != "log_drain" || bad.Problems[0].Text == "" {
		t.Errorf("%+v", bad)
	}
	if missing.OK || missing.Kind != "" || len(missing.Problems) != 1 {
		t.Errorf("%+v", missing)
	}
}

// The policy that is printed to begin with is right, and is the one that holds without it.
func TestDefaultPolicyIsTheBuiltInOne(t *testing.T) {
	text, status, complaint := commanded(nil, "policy", "default")
	if status != exitOK || text != policyfile.Default() {
		t.Fatalf("%d %s", status, complaint)
	}
	if out, status, _ := commanded(strings.NewReader(text), "check", "-"); status != exitOK || strings.Count(out, "\n") != 1 {
		t.Errorf("%d\n%s", status, out)
	}
	out, status, _ := commanded(strings.NewReader(text), "policy", "diff", "built-in", "-", "--tasks", "../testdata/tasks")
	if status != exitOK || strings.Contains(out, "rules that differ") {
		t.Errorf("%d\n%s", status, out)
	}
}

// Every key of the file formats is of one kind only, and what the commands print is of the right one.
func TestKindsHaveNoKeyInCommon(t *testing.T) {
	of := map[string]string{}
	for _, kind := range fileKinds() {
		for _, key := range kind.keys {
			if other, taken := of[key]; taken || key == "version" {
				t.Errorf("%s is a key of %s and %s", key, kind.name, other)
			}
			of[key] = kind.name
		}
	}
	if kind := kindOf("x", []byte(policyfile.Default())); kind.name != "policy" {
		t.Errorf("the built-in policy is a %q", kind.name)
	}
}

// A file has keys of several kinds when somebody put a section into the wrong one, or a key is mistyped.
func TestTheKindOfAFileIsThatOfMostOfItsKeys(t *testing.T) {
	for _, tc := range []struct{ path, keys, want string }{
		{"x", "mode defaults clusters", "policy"},
		{"x", "mode clusters cluster", "classes"},
		{"x", "engine log_drain cluster", "config"},
		{"x", "mode clusters", "policy"},
		{"classes.yaml", "mode clusters", "classes"},
		{"config.yaml", "mode clusters", "policy"}, // it has nothing of one
		{"classes.yaml", "principals", "classes"},
		{"x", "principals", "policy"},
		{"classes.yaml", "mode", "policy"},
		{"x", "clsters principals", "classes"},
		{"x", "engnie", "config"},
		{"x", "", "policy"},
	} {
		text := "version: 1\n"
		for key := range strings.FieldsSeq(tc.keys) {
			text += key + ": 1\n"
		}
		if kind := kindOf(tc.path, []byte(text)); kind.name != tc.want {
			t.Errorf("%s with %s: %s, want %s", tc.path, tc.keys, kind.name, tc.want)
		}
	}
}

// TestExamplesInHelp runs the examples of each command that people use for the operator's files.
func TestExamplesInHelp(t *testing.T) {
	t.Chdir("..")
	for _, command := range []struct {
		words []string
		ran   int
	}{{[]string{"check"}, 3}, {[]string{"explain"}, 5}, {[]string{"policy", "default"}, 1}, {[]string{"policy", "diff"}, 2},
		{[]string{"classes", "show"}, 2}, {[]string{"classes", "lookup"}, 2}, {[]string{"classes", "allocate"}, 2}, {[]string{"doctor"}, 2}} {
		help, status, complaint := commanded(nil, append(command.words, "--help")...)
		if status != exitOK {
			t.Fatal(complaint)
		}
		ran := 0
		_, examples, _ := strings.Cut(help, "Examples:\n")
		examples, _, _ = strings.Cut(examples, "\n\n")
		for line := range strings.Lines(examples) {
			var piped io.Reader
			for part := range strings.SplitSeq(strings.TrimSpace(line), " | ") {
				words := strings.Fields(part)
				if len(words) == 0 || words[0] != "mesos-docker-executor" {
					t.Fatalf("%q is no example of %q", line, command.words)
				}
				out, status, complaint := commanded(piped, words[1:]...)
				if status == exitUsage || complaint != "" || out == "" {
					t.Errorf("%s: %d %s", words, status, complaint)
				}
				piped = strings.NewReader(out)
			}
			ran++
		}
		if ran != command.ran {
			t.Errorf("%d examples in\n%s", ran, help)
		}
	}
}
