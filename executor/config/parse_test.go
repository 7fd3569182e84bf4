package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/storage"
)

func TestParseReadsEveryKey(t *testing.T) {
	got, err := config.Parse("c.yaml", []byte(`# a host
version: 1
engine:
  host: unix:///run/d.sock
  limits: {ping: 1s, info: 2s, image_inspect: 3s, pull_begin: 4s, pull_idle: 5s, pull_extract: 12s, pull_total: 6s,
    create: 7s, start: 8s, inspect: 9s, inspect_poll: 13s, list: 14s, signal: 10s, kill: 15s, remove: 11s, attach: 1m30s}
  launch_wait: 16s
  max_starts: 17
  max_pulls: 18
registry: {config: /etc/docker/config.json, task_helpers: "ecr-login, gcr", helper_limit: 3s}
agent:
  endpoint: "10.0.0.5:5051"
  domain_socket: '' # excludes the other two
  register_for_recovery: false
  tls: {mode: on, ca_file: /ca, ca_dir: /cas, cert_file: /cert, key_file: /key, verify: true, server_name: a.example, version: 1.3}
container:
  name_prefix: task
  mapped_directory: /sandbox
  enforce_cfs: true
cgroup:
  root: /a/b
storage:
  allowed_drivers: overlayfs
  tolerated_drivers: "vfs,btrfs"
  min_free_bytes: 3GiB
  min_free_bytes_percent: 4
  warn_free_bytes_percent: 5
  min_free_inodes: 6
  min_free_inodes_percent: 7
  warn_free_inodes_percent: 0
  containerd_root: /data/containerd
run_directory: '/run/other'
log_drain: 250ms
log_level: debug
gc:
  directory: /srv/images
  begin_percent: 90
  until_percent: 70
  max_images: 10
  pause: 3s
  min_age: 30m
  keep: "base/*"
  max_load: 0
  max_io_pressure: 99
`))
	if err != nil {
		t.Fatal(err)
	}
	s := time.Second
	want := config.File{
		Version: 1,
		Engine: config.Engine{Host: "unix:///run/d.sock", Limits: config.Limits{
			Ping: s, Info: 2 * s, ImageInspect: 3 * s, PullBegin: 4 * s, PullIdle: 5 * s, PullTotal: 6 * s,
			PullExtract: 12 * s, Create: 7 * s, Start: 8 * s, Inspect: 9 * s, InspectPoll: 13 * s, List: 14 * s,
			Signal: 10 * s, Kill: 15 * s, Remove: 11 * s, Attach: 90 * s,
		}, LaunchWait: 16 * s, MaxStarts: 17, MaxPulls: 18},
		Registry: config.Registry{Config: "/etc/docker/config.json", TaskHelpers: "ecr-login, gcr", HelperLimit: 3 * s},
		Agent: config.AgentKeys{Endpoint: "10.0.0.5:5051", TLS: config.TLSKeys{
			Mode: "on", CAFile: "/ca", CADir: "/cas", CertFile: "/cert", KeyFile: "/key", Verify: true, ServerName: "a.example", Version: "1.3",
		}},
		Container: config.Container{NamePrefix: "task", MappedDirectory: "/sandbox", EnforceCFS: true},
		Cgroup:    config.Cgroup{Root: "/a/b"},
		Storage: config.Storage{
			AllowedDrivers: "overlayfs", ToleratedDrivers: "vfs,btrfs", MinFreeBytes: 3 << 30, MinFreeBytesPercent: 4, WarnFreeBytesPercent: 5,
			MinFreeInodes: 6, MinFreeInodesPercent: 7, ContainerdRoot: "/data/containerd",
		},
		RunDirectory: "/run/other",
		LogDrain:     250 * time.Millisecond,
		LogLevel:     slog.LevelDebug,
		GC: config.GC{
			Directory: "/srv/images", BeginPercent: 90, UntilPercent: 70, MaxImages: 10, Pause: 3 * time.Second,
			MinAge: 30 * time.Minute, Keep: "base/*", MaxLoad: 0, MaxIOPressure: 99,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestParseFillsInDefaults(t *testing.T) {
	for name, text := range map[string]string{
		"version alone":         "version: 1\n",
		"comments":              "# x\n\nversion: 1 # y\n",
		"empty sections":        "version: 1\nengine:\n  limits:\n  # ping: 1s\nagent: {}\n",
		"document marks":        "---\nversion: 1\n...\n",
		"Windows line ends":     "version: 1\r\nagent:\r\n  endpoint: \"\"\r\n",
		"byte order mark":       "\ufeffversion: 1\n",
		"no newline at the end": "version: 1",
	} {
		got, err := config.Parse("c.yaml", []byte(text))
		if diff := cmp.Diff(config.Default(), got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestParseErrorsHaveLineKeyAndRange(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want []string // "line: key: part of the text", in order
	}{
		{"empty", "", []string{"1: version: is missing; write `version: 1`"}},
		{"comments only", "# nothing\n", []string{"1: version: is missing"}},
		{"no version", "log_drain: 1s\n", []string{"1: version: is missing"}},
		{"other version", "version: 2\nfuture: x\n", []string{`1: version: "2" is not a version`}},
		{"version as text", `version: "1"`, []string{`1: version: "1"`}},
		{"null document", "~", []string{"1: is not a list of keys"}},
		{"sequence", "- a\n", []string{"1: is not a list of keys"}},
		{"text", "hello", []string{"1: is not a list of keys"}},
		{"two documents", "version: 1\n---\nversion: 1\n", []string{"2: a second document"}},
		{"broken second document", "version: 1\n---\n[\n", []string{"3: is not valid YAML"}},
		{"bad indentation", "version: 1\nengine:\n  host: x\n host: y\n", []string{"3: is not valid YAML"}},
		{"tab", "version: 1\nengine:\n\thost: x\n", []string{"3: is indented with a tab, and YAML is with blanks only"}},
		{"open bracket", "{", []string{"1: is not valid YAML"}},
		{"not UTF-8", "version: 1\n# \xff\n", []string{"2: holds bytes"}},
		{"control character", "version: 1\nlog_level: \x01\n", []string{"2: holds bytes"}},
		{"C1 control character", "version: 1\n\n# \u0081\n", []string{"3: holds bytes"}},
		{"NUL", "version: 1\n\x00", []string{"2: holds bytes"}},
		{"UTF-16", "\xff\xfev\x00", []string{"1: holds bytes"}},

		{"unknown key", "version: 1\nlogdrain: 1s\n", []string{"2: logdrain: is an unknown key; known here: version, engine, registry, agent, container, cgroup, storage, run_directory, log_drain, log_level"}},
		{"helpers as a list", "version: 1\nregistry:\n  task_helpers: [ecr-login]\n", []string{"3: registry.task_helpers: needs one value; allowed: names, separated by commas"}},
		{"helper by its program", "version: 1\nregistry:\n  task_helpers: gcr, docker-credential-ecr-login\n", []string{"3: registry.task_helpers: \"docker-credential-ecr-login\" is the name of the program; write \"ecr-login\""}},
		{"helper with a path", "version: 1\nregistry:\n  task_helpers: ../x\n", []string{"3: registry.task_helpers: \"../x\" is no name of a credential helper"}},
		{"docker config by a relative path", "version: 1\nregistry:\n  config: .docker/config.json\n", []string{"3: registry.config: \".docker/config.json\" is not an absolute path"}},
		{"size without a unit", "version: 1\nstorage:\n  min_free_bytes: 2000000\n", []string{"3: storage.min_free_bytes: 2000000 has no unit; allowed: whole number with KiB, MiB, GiB or TiB"}},
		{"size in decimal units", "version: 1\nstorage:\n  min_free_bytes: 2GB\n", []string{"3: storage.min_free_bytes: \"2GB\" is not a size such as 2GiB"}},
		{"negative size", "version: 1\nstorage:\n  min_free_bytes: -2GiB\n", []string{"3: storage.min_free_bytes: \"-2GiB\" is not a size such as 2GiB"}},
		{"size beyond 64 bits", "version: 1\nstorage:\n  min_free_bytes: 18446744073709551615TiB\n", []string{"3: storage.min_free_bytes: 18446744073709551615TiB is out of range"}},
		{"percentage", "version: 1\nstorage:\n  min_free_inodes_percent: 91\n", []string{"3: storage.min_free_inodes_percent: 91 is out of range; allowed: 0 to 90"}},
		{"warning after a refusal", "version: 1\nstorage:\n  warn_free_bytes_percent: 9\n", []string{"3: storage.warn_free_bytes_percent: a warning at 9 % of free bytes comes after the refusal at 10 %"}},
		{"refusal before a default's warning", "version: 1\nstorage:\n  min_free_inodes_percent: 20\n", []string{"2: storage.warn_free_inodes_percent: a warning at 10 % of free inodes comes after the refusal at 20 %"}},
		{"no driver", "version: 1\nstorage:\n  allowed_drivers: ', '\n", []string{"3: storage.allowed_drivers: \", \" names no driver, and then no task starts"}},
		{"driver in capitals", "version: 1\nstorage:\n  allowed_drivers: Overlay2\n", []string{"3: storage.allowed_drivers: \"Overlay2\" is not the name of a storage driver"}},
		{"driver in both lists", "version: 1\nstorage:\n  tolerated_drivers: overlay2\n", []string{"3: storage.tolerated_drivers: the storage driver overlay2 is both allowed and tolerated"}},
		{"containerd's root by a relative path", "version: 1\nstorage:\n  containerd_root: containerd\n", []string{"3: storage.containerd_root: \"containerd\" is not an absolute path"}},
		{"storage in another version", "version: 2\nstorage:\n  warn_free_bytes_percent: 9\n", []string{"1: version: \"2\" is not a version"}},
		{"unknown key in section", "version: 1\nengine:\n  limits:\n    pong: 1s\n", []string{"4: engine.limits.pong: is an unknown key; known here: ping, info"}},
		{"key at the wrong place", "version: 1\nengine:\n  ping: 1s\n", []string{"3: engine.ping: is an unknown key; known here: host, limits"}},
		{"dotted key", "version: 1\nengine.host: x\n", []string{`2: "engine.host" is no key`}},
		{"merge key", "version: 1\n<<: {log_drain: 1s}\n", []string{`2: "<<" is no key`}},
		{"number as key", "version: 1\n1: x\n", []string{`2: "1" is no key`}},
		{"mapping as key", "version: 1\n? {a: b}\n: x\n", []string{`2: "" is no key`}},
		{"duplicate", "version: 1\nlog_drain: 1s\nlog_drain: 2s\n", []string{"3: log_drain: is here a second time, the first is on line 2"}},
		{"duplicate section", "version: 1\nagent: {}\ncgroup: {}\nagent: {}\n", []string{"4: agent: is here a second time, the first is on line 2"}},
		{"duplicate version", "version: 1\nversion: 1\n", []string{"2: version: is here a second time"}},

		{"section as value", "version: 1\nengine: unix:///x\n", []string{"2: engine: is a section; known here: host, limits"}},
		{"section as list", "version: 1\nengine:\n- host: x\n", []string{"3: engine: is a section"}},
		{"value as section", "version: 1\nlog_drain:\n  seconds: 1\n", []string{"3: log_drain: needs one value; allowed: 100ms to 1m"}},
		{"no value", "version: 1\nlog_drain:\n", []string{"2: log_drain: has no value; remove the key"}},
		{"anchor", "version: 1\nlog_drain: &a 1s\n", []string{"2: log_drain: uses an anchor"}},
		{"alias", "version: &a 1\nlog_drain: *a\n", []string{"1: version: uses an anchor"}},
		{"tag", "version: 1\nlog_level: !!str info\n", []string{`2: log_level: has the tag "!!str"`}},
		{"own tag", "version: 1\nengine: !x {}\n", []string{`2: engine: has the tag "!x"`}},

		{"no unit", "version: 1\nlog_drain: 2\n", []string{"2: log_drain: 2 has no unit; write 2s"}},
		{"no unit, fraction", "version: 1\nlog_drain: 0.5\n", []string{"2: log_drain: 0.5 has no unit; write 0.5s"}},
		{"unit of Mesos", "version: 1\nlog_drain: 2secs\n", []string{`2: log_drain: "2secs" is not a duration such as 2s`}},
		{"space before the unit", "version: 1\nlog_drain: 2 s\n", []string{`2: log_drain: "2 s" is not a duration`}},
		{"size instead of duration", "version: 1\nlog_drain: 2MiB\n", []string{`2: log_drain: "2MiB" is not a duration`}},
		{"infinite duration", "version: 1\nlog_drain: .inf\n", []string{"2: log_drain: .inf has no unit"}},
		{"boolean as duration", "version: 1\nlog_drain: true\n", []string{`2: log_drain: "true" is not a duration`}},
		{"zero", "version: 1\nlog_drain: 0s\n", []string{"2: log_drain: 0s is out of range; allowed: 100ms to 1m"}},
		{"negative", "version: 1\nlog_drain: -2s\n", []string{"2: log_drain: -2s is out of range"}},
		{"too long", "version: 1\nlog_drain: 61s\n", []string{"2: log_drain: 61s is out of range"}},
		{"overflow", "version: 1\nlog_drain: 9999999999h\n", []string{`2: log_drain: "9999999999h" is not a duration`}},

		{"text as boolean", "version: 1\nagent:\n  register_for_recovery: yes\n", []string{"3: agent.register_for_recovery: \"yes\" is not a boolean; allowed: `true`, `false`"}},
		{"number as boolean", "version: 1\ncontainer: {enforce_cfs: 1}\n", []string{`2: container.enforce_cfs: "1" is not a boolean`}},
		{"number as string", "version: 1\ncontainer: {name_prefix: 12}\n", []string{"2: container.name_prefix: 12 is not a string"}},

		{"engine by TCP", "version: 1\nengine: {host: \"tcp://1.2.3.4:2375\"}\n", []string{"2: engine.host: \"tcp://1.2.3.4:2375\" does not begin with unix://; allowed: `unix://`"}},
		{"relative socket", "version: 1\nengine: {host: \"unix://d.sock\"}\n", []string{`2: engine.host: "d.sock" is not an absolute path`}},
		{"long socket", "version: 1\nengine: {host: \"unix:///" + strings.Repeat("x", 107) + "\"}\n", []string{"2: engine.host: "}},
		{"endpoint without port", "version: 1\nagent: {endpoint: 10.0.0.5}\n", []string{`2: agent.endpoint: "10.0.0.5" is not ip:port`}},
		{"endpoint with name", "version: 1\nagent: {endpoint: \"agent1:5051\"}\n", []string{`2: agent.endpoint: "agent1:5051" is not ip:port`}},
		{"prefix of the containerizer", "version: 1\ncontainer: {name_prefix: mesos}\n", []string{`2: container.name_prefix: "mesos" would make names`}},
		{"prefix below the containerizer's", "version: 1\ncontainer: {name_prefix: mesos-x}\n", []string{`2: container.name_prefix: "mesos-x" would`}},
		{"prefix Docker refuses", "version: 1\ncontainer: {name_prefix: -x}\n", []string{`2: container.name_prefix: "-x" cannot`}},
		{"prefix with a line end", "version: 1\ncontainer: {name_prefix: \"x\\n\"}\n", []string{`2: container.name_prefix: "x\n" cannot`}},
		{"sandbox on /", "version: 1\ncontainer: {mapped_directory: /}\n", []string{`2: container.mapped_directory: "/" cannot`}},
		{"relative cgroup", "version: 1\ncgroup: {root: x}\n", []string{`2: cgroup.root: "x" is not an absolute path`}},
		{"cgroup of all", "version: 1\ncgroup: {root: /}\n", []string{`2: cgroup.root: "/" cannot`}},
		{"cgroup of the agent", "version: 1\ncgroup: {root: /mesos/x}\n", []string{`2: cgroup.root: "/mesos/x" is the agent's`}},
		{"cgroup upwards", "version: 1\ncgroup: {root: /a/../b}\n", []string{`2: cgroup.root: "/a/../b" is not in its shortest form`}},
		{"cgroup as slice", "version: 1\ncgroup: {root: /x.slice}\n", []string{`2: cgroup.root: "/x.slice" would be taken`}},
		{"cgroup with space", "version: 1\ncgroup: {root: /a b}\n", []string{`2: cgroup.root: "/a b" has more`}},
		{"run directory", "version: 1\nrun_directory: run\n", []string{`2: run_directory: "run" is not an absolute path`}},
		{"level", "version: 1\nlog_level: INFO\n", []string{"2: log_level: \"INFO\" is not a log level; allowed: `debug`, `info`, `warn`, `error`"}},

		{"all at once, version first", "log_drain: 0s\nagent:\n  endpoint: x\n  port: 1\nlog_level: loud\n", []string{
			"1: version: is missing", "1: log_drain: 0s", "3: agent.endpoint: ", "4: agent.port: is an unknown key", "5: log_level: ",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Parse("c.yaml", []byte(c.text))
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d problems, want %d:\n%v", len(lines), len(c.want), err)
			}
			for i, want := range c.want {
				if !strings.HasPrefix(lines[i], "c.yaml:"+want) {
					t.Errorf("got  %s\nwant c.yaml:%s", lines[i], want)
				}
			}
		})
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	text := "version: 1\n" + strings.Repeat("x:\n", 30)
	_, err := config.Parse("c.yaml", []byte(text))
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 21 || lines[20] != "c.yaml: and 10 more problems" {
		t.Errorf("error of %d lines:\n%v", len(lines), err)
	}
}

func TestLongAndDeepInputIsRefusedQuickly(t *testing.T) {
	for name, text := range map[string]string{
		"deep lists":    strings.Repeat("[", 60000),
		"deep mappings": "engine: " + strings.Repeat("{a: ", 15000),
		"aliases":       "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n",
		"many keys":     strings.Repeat("x: 1\n", 10000),
	} {
		start := time.Now()
		if _, err := config.Parse("c.yaml", []byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("version: 1\nengine:\n  host: unix:///x\n  limits: {ping: 1s}\nlog_drain: 2s\n"))
	f.Add([]byte("version: 2\n---\n"))
	f.Add([]byte("version: &a 1\nlog_level: *a\n<<: *a\n? [x]\n: y\n"))
	f.Add([]byte("version: 1\nagent: {endpoint: '[::1]:1', register_for_recovery: TRUE}\n"))
	f.Add([]byte("\ufeffversion: 1\r\ncgroup:\r\n  root: !!str /x\r\n"))
	f.Add([]byte("a: |\n  x\nb: >\n  y\n\"\\n\": 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := config.Parse("c.yaml", data)
		if err != nil {
			problems(t, err)
			for line := range strings.SplitSeq(err.Error(), "\n") {
				var n int
				if _, scan := fmt.Sscanf(line, "c.yaml:%d: ", &n); (scan != nil || n < 1) && !strings.HasPrefix(line, "c.yaml: and ") {
					t.Errorf("no line number: %q", line)
				}
			}
			return
		}
		if file.Version != 1 || file.LogDrain < 100*time.Millisecond || file.Engine.Limits.Ping < 100*time.Millisecond || file.Cgroup.Root == "/" {
			t.Errorf("absurd values accepted: %+v", file)
		}
	})
}

func TestStorageDefaultsAreThePackages(t *testing.T) {
	got := config.Default().Storage.Settings()
	if diff := cmp.Diff(storage.DefaultSettings(), got); diff != "" {
		t.Errorf("(-storage's +config's):\n%s", diff)
	}
	if err := got.Check(); err != nil {
		t.Error(err)
	}
}

func TestSizesAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "0MiB": 0, "1KiB": 1 << 10, "1536MiB": 3 << 29, "'20GiB'": 20 << 30, "1024TiB": 1 << 50,
	} {
		file, err := config.Parse("c.yaml", []byte("version: 1\nstorage:\n  min_free_bytes: "+text+"\n"))
		if err != nil || uint64(file.Storage.MinFreeBytes) != want {
			t.Errorf("%s: %d, %v", text, file.Storage.MinFreeBytes, err)
		}
	}
}

func TestHelpersAreSeparatedByCommas(t *testing.T) {
	got := config.Registry{TaskHelpers: " ecr-login,gcr , acr-env,"}.Helpers()
	if diff := cmp.Diff([]string{"ecr-login", "gcr", "acr-env"}, got); diff != "" {
		t.Error(diff)
	}
}

// A typo elsewhere must not take the pinned agent away, and one in its section must not go for no section.
func TestAgentOfAFileThatIsWrong(t *testing.T) {
	const agent = "agent: {endpoint: '10.0.0.5:5051', tls: {mode: on}}\n"
	for text, certain := range map[string]bool{
		"version: 1\n" + agent + "log_drian: 2s\n":                          true,
		"version: 1\nlog_drain: 2\n" + agent + "engine: {hots: x}\n":        true,
		"version: 1\nlog_drain: 2\n":                                        true, // certain to say nothing
		"version: 1\nlog_drian: 2s\n":                                       false,
		"version: 1\nagnet: {endpoint: '10.0.0.5:5051'}\n":                  false,
		"version: 1\nAgent: {endpoint: '10.0.0.5:5051'}\n" + agent:          false,
		"version: 1\nagent: {endpoint: '10.0.0.5:5051'}\ntls: {mode: on}\n": false,
		"version: 1\nagent: {endpiont: '10.0.0.5:5051'}\n":                  false,
		"version: 1\nagent: {endpoint: 10.0.0.5}\n":                         false,
		"version: 1\nagent: {tls: {mode: on, key_file: /k}}\nlog_drain: 1":  false,
		"version: 1\nagent: x\n":                                            false,
		"version: 1\n" + agent + agent:                                      false,
		"version: 2\n" + agent:                                              false,
		agent:                                                               false,
		"version: 1\n" + agent + "\t- x\n":                                  false,
		"version: 1\n" + agent + "log_drain: \x80\n":                        false,
		"version: 1\n" + agent + "---\nlog_drain: 2s\n":                     false,
	} {
		_, err := config.Parse("c.yaml", []byte(text))
		var e *config.Error
		if !errors.As(err, &e) {
			t.Errorf("%s\nerror %v", text, err)
			continue
		}
		if got := e.Agent != nil; got != certain {
			t.Errorf("%s\nagent %+v; %v", text, e.Agent, err)
		}
		if e.Agent != nil && strings.Contains(text, "endpoint") && (e.Agent.Endpoint != "10.0.0.5:5051" || e.Agent.TLS.Mode != "on") {
			t.Errorf("%s\nagent %+v", text, e.Agent)
		}
	}
}
