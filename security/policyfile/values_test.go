package policyfile

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/security"
)

func TestValueErrors(t *testing.T) {
	var cases refusals
	add := func(line, want string) {
		cases = append(cases, struct {
			name, text string
			want       []string
		}{line, rulesText(line), []string{"3: defaults." + want}})
	}
	for line, want := range map[string]string{
		"init:":                            `init: "" is not a boolean`,
		"init: yes":                        "init: \"yes\" is not a boolean; write `true` or `false`",
		"init: 1":                          `init: "1" is not a boolean`,
		`init: "true"`:                     `init: "true" is not a boolean`,
		"init: [true]":                     `init: "" is not a boolean`,
		"pids_limit: 0":                    "pids_limit: 0 is out of range; allowed: 1 to 4194304",
		"pids_limit: -1":                   "pids_limit: -1 is out of range",
		"pids_limit:":                      "pids_limit: needs one value; write a number from 1 to 4194304",
		"pids_limit: {}":                   "pids_limit: needs one value",
		"pids_limit: 1k":                   `pids_limit: "1k" is not a whole number`,
		"pids_limit: 1.5":                  `pids_limit: "1.5" is not a whole number`,
		"pids_limit: 0x9":                  `pids_limit: "0x9" is not a whole number`,
		`pids_limit: "9"`:                  `pids_limit: "9" is not a whole number`,
		"pids_limit: 5000000":              "pids_limit: 5000000 is out of range",
		"pids_limit: 99999999999999999999": `pids_limit: "99999999999999999999" is not a whole number`,
		"pids_limit: unlimited":            `pids_limit: "unlimited" is not a whole number`,
		"oom_score_adj: -1001":             "oom_score_adj: -1001 is out of range; allowed: -1000 to 1000",
		"oom_score_adj: 1001":              "oom_score_adj: 1001 is out of range",

		"shm_size: 1073741824":                      "shm_size: 1073741824 has no unit; write 1GiB",
		"shm_size: 512":                             "shm_size: 512 has no unit; write 512MiB, or",
		"shm_size: 512m":                            `shm_size: "512m" has no unit of sizes; write 512MiB`,
		"shm_size: 512MB":                           `shm_size: "512MB" has no unit of sizes; write 512MiB`,
		"shm_size: 512 MiB":                         `shm_size: "512 MiB" is not a size; write a whole number and the unit without a blank`,
		"shm_size: 1.5GiB":                          `shm_size: "1.5GiB" is not a size; write a whole number`,
		"shm_size: -1MiB":                           `shm_size: "-1MiB" is not a size`,
		"shm_size: 010MiB":                          `shm_size: "010MiB" is not a size`,
		"shm_size: MiB":                             `shm_size: "MiB" is not a size`,
		"shm_size: unlimited":                       `shm_size: "unlimited" is not a size`,
		"shm_size: 99999999999999999999GiB":         `shm_size: "99999999999999999999GiB" is too large`,
		"shm_size: 9999999999GiB":                   `shm_size: "9999999999GiB" is too large`,
		"shm_size: 1025TiB":                         "shm_size: 1025TiB is out of range; allowed: 0 to 1024TiB",
		"mounts: {tmpfs_size: 64}":                  "mounts.tmpfs_size: 64 has no unit; write 64MiB",
		"ulimits: {memlock: 67108864}":              "ulimits.memlock: 67108864 has no unit; write 64MiB",
		"ulimits: {memlock: -2}":                    `ulimits.memlock: "-2" is not a size`,
		"ulimits: {nofile: 64KiB}":                  `ulimits.nofile: "64KiB" is not a whole number; write a number, a size such as 64MiB for as, core, data`,
		"ulimits: {nofile: 010}":                    `ulimits.nofile: "010" is not a whole number`,
		"pids_limit: 0100":                          `pids_limit: "0100" is not a whole number; write a number from 1 to 4194304`,
		"pids_limit: +5":                            `pids_limit: "+5" is not a whole number`,
		"oom_score_adj: -0":                         `oom_score_adj: "-0" is not a whole number`,
		"ulimits: {nofile: -2}":                     "ulimits.nofile: -2 is out of range; allowed: 0 to",
		"ulimits: {nofiles: 1}":                     `ulimits.nofiles: "nofiles" is no ulimit; did you mean "nofile"?; known are as, core, cpu`,
		"ulimits: {NOFILE: 1}":                      `ulimits.NOFILE: "NOFILE" is no ulimit`,
		"ulimits: {nofile: }":                       "ulimits.nofile: needs one value",
		"ulimits: [nofile]":                         "ulimits: has to be a section of keys with values",
		"ulimits:":                                  "ulimits: has no value; write `name: value` lines below it, {} for none at all, or remove the key",
		"+ulimits: {nofile: 1}":                     "+ulimits: takes no + in front of the key; remove the +; the names of a map are merged",
		"zero_ulimits: [coer]":                      `zero_ulimits[0]: "coer" is no ulimit; did you mean "core"?`,
		"+init: true":                               "+init: takes no + in front of the key; remove the +",
		"+runtimes: [kata]":                         "+runtimes: takes no + in front of the key; write the + in front of each element: [+A, +B]",
		"runtimes: [kata, +gvisor]":                 "runtimes: has elements with and without a + in front",
		"runtimes: [kata, kata]":                    `runtimes[1]: "kata" is in the list twice; keep one`,
		"runtimes: kata":                            "runtimes: has to be a list of texts, and is the text \"kata\"; write `[a, b]` or lines",
		"runtimes:":                                 "runtimes: has no value; write a list of texts, `[]` for none, or remove the key",
		"runtimes: [~]":                             "runtimes[0]: has no value; write names of runtimes, or remove the key",
		"runtimes: [[kata]]":                        "runtimes[0]: needs one value",
		"runtimes: [true]":                          `runtimes[0]: "true" is no text to YAML; put it in quotes`,
		"runtimes: [1.5]":                           `runtimes[0]: "1.5" is no text to YAML`,
		`runtimes: ["a b"]`:                         `runtimes[0]: "a b" is no name; write letters`,
		`runtimes: [""]`:                            `runtimes[0]: "" is no name`,
		`runtimes: ["*"]`:                           `runtimes[0]: "*" is no name; write letters, digits and _ . : / -, and no pattern`,
		"runtimes: [+]":                             `runtimes[0]: "" is no name`,
		"capabilities: {allow: [ALL]}":              `capabilities.allow[0]: "ALL" is refused: with it a container is as good as privileged`,
		"capabilities: {allow: [+all]}":             `capabilities.allow[0]: "all" is refused`,
		"capabilities: {base: [cap_all]}":           `capabilities.base[0]: "cap_all" is refused`,
		"capabilities: {allow: [NET_ADMN]}":         `capabilities.allow[0]: "NET_ADMN" is no capability; did you mean "CAP_NET_ADMIN"?`,
		`capabilities: {allow: ["\u017fys_admin"]}`: "capabilities.allow[0]: \"\u017fys_admin\" is no capability",
		`capabilities: {allow: ["NET_RAW "]}`:       `capabilities.allow[0]: "NET_RAW " is no capability`,
		"capabilities: {allow: [KILL, cap_kill]}":   `capabilities.allow[1]: "CAP_KILL" is in the list twice`,
		"capabilities: {on_violation: force}":       "capabilities.on_violation: \"force\" cannot be written here; write `trim`, `reject`",
		"capabilities: {on_violation: Reject}":      "capabilities.on_violation: \"Reject\" cannot be written here; did you mean \"reject\"?",
		"capabilities: {on_violation: [trim]}":      "capabilities.on_violation: needs one value; write `trim`, `reject`",
		"images: {allow: [busybox]}":                `images.allow[0]: "busybox" matches no repository, which is written in full; write docker.io/library/busybox`,
		"images: {allow: [team/app]}":               `images.allow[0]: "team/app" does not begin with a registry; write docker.io/team/app`,
		"images: {allow: [registry.example/a:1.2]}": `images.allow[0]: "registry.example/a:1.2" has a tag or digest; write the repository alone`,
		`images: {allow: ["a.example/x@sha256:0"]}`: `images.allow[0]: "a.example/x@sha256:0" has a tag or digest`,
		"images: {allow: [a.example/X]}":            `images.allow[0]: "a.example/X" is no repository; write one in lower case`,
		`images: {allow: ["a.example/**/x"]}`:       `images.allow[0]: "a.example/**/x" has ** elsewhere than in /** at the end`,
		`images: {allow: ["a.example**"]}`:          `images.allow[0]: "a.example**" has ** elsewhere`,
		`images: {allow: ["a.example/"]}`:           `images.allow[0]: "a.example/" is no repository`,
		"images: {allow: [https://a.example/x]}":    `images.allow[0]: "https://a.example/x" is no repository`,

		"apparmor_profiles: [unconfined]":                                "apparmor_profiles[0]: \"unconfined\" is refused here; only an entry of `break_glass` can lift this",
		"apparmor_profiles: [+Unconfined]":                               `apparmor_profiles[0]: "Unconfined" is refused here`,
		"selinux_labels: [disable]":                                      "selinux_labels[0]: \"disable\" is refused here; only an entry of `break_glass`",
		"selinux_labels: ['type:*']":                                     `selinux_labels[0]: "type:*" is refused here: it lets a task have type:spc_t, which is unconfined; only an entry of`,
		"selinux_labels: ['type:container_*']":                           `selinux_labels[0]: "type:container_*" is refused here: it lets a task have type:container_runtime_t, which is unconfined`,
		"selinux_labels: ['type:spc_t:*']":                               `selinux_labels[0]: "type:spc_t:*" is no label`,
		"selinux_labels: [type:unconfined_t]":                            `selinux_labels[0]: "type:unconfined_t" is refused here`,
		"devices: [{path: /dev/*, permissions: r}]":                      `devices[0].path: "/dev/*" stands for the host's memory and disks, too; name the devices`,
		"runtimes: [" + strings.Repeat("a", 5000) + "]":                  "runtimes[0]: has 5000 bytes; a text has at most 4096",
		"selinux_labels: [container_t]":                                  `selinux_labels[0]: "container_t" is no label; write user:, role:`,
		"host_namespaces: [pid]":                                         "host_namespaces[0]: \"pid\" is refused here; only an entry of `break_glass` can lift this, with reason and expiry: `allow: {host_namespaces: [pid]}`",
		"host_namespaces: [+ipc]":                                        `host_namespaces[0]: "ipc" is refused here`,
		"host_namespaces: [userns]":                                      `host_namespaces[0]: "userns" is refused here`,
		"host_namespaces: [net]":                                         "host_namespaces[0]: \"net\" is no namespace of this list; write `host` into network.modes",
		"host_namespaces: [mnt]":                                         "host_namespaces[0]: \"mnt\" cannot be written here; write `cgroup`, `uts`",
		"denied_groups: [a:b]":                                           `denied_groups[0]: "a:b" is no group`,
		"denied_groups: [-1]":                                            `denied_groups[0]: "-1" is no group`,
		"seccomp_profiles: {web: unconfined}":                            "seccomp_profiles.web: \"unconfined\" is refused here; only an entry of `break_glass`",
		"seccomp_profiles: {web: web.json}":                              `seccomp_profiles.web: "web.json" is not the absolute path of a profile in JSON`,
		"seccomp_profiles: {web: /etc/../x}":                             `seccomp_profiles.web: "/etc/../x" is not in its shortest form, which is "/x"`,
		"seccomp_profiles: {unconfined: /x}":                             `seccomp_profiles.unconfined: "unconfined" is the engine's own word`,
		"seccomp_profiles: {a b: /x}":                                    `seccomp_profiles.a b: "a b" is no name`,
		"seccomp_profiles: {web: '{}'}":                                  `seccomp_profiles.web: "{}" is not the absolute path`,
		"seccomp_profiles: {web: {}}":                                    "seccomp_profiles.web: needs one value; write absolute paths of JSON files",
		"network: {modes: [HOST]}":                                       "network.modes[0]: \"HOST\" cannot be written here; did you mean \"host\"?; write `bridge`, `none`, `host`",
		"network: {modes: [default]}":                                    `network.modes[0]: "default" cannot be written here`,
		"network: {modes: ['container:x']}":                              `network.modes[0]: "container:x" cannot be written here`,
		"network: {names: [host]}":                                       `network.names[0]: "host" is no user network; write it into network.modes`,
		"network: {names: ['container:*']}":                              `network.names[0]: "container:*" is no name of a user network`,
		"network: {host_ips: [10.0.0.0/8]}":                              `network.host_ips[0]: "10.0.0.0/8" is no IP address; write one such as 10.0.0.5`,
		"network: {host_ips: ['10.0.0.5:80']}":                           `network.host_ips[0]: "10.0.0.5:80" is no IP address`,
		"network: {host_ips: ['fe80::1%eth0']}":                          `network.host_ips[0]: "fe80::1%eth0" is no IP address`,
		"network: {host_ips: ['FD00::0001']}":                            `network.host_ips[0]: "FD00::0001" is not in its shortest form, which is fd00::1`,
		"mounts: {host_paths: [/srv]}":                                   "mounts.host_paths[0]: has to be an entry with `path`, `writable`, and is the text \"/srv\"; write {path: ...}",
		"mounts: {host_paths: [{writable: true}]}":                       "mounts.host_paths[0]: has no `path`; write an absolute path",
		"mounts: {host_paths: [{path: srv}]}":                            `mounts.host_paths[0].path: "srv" is not an absolute path`,
		"mounts: {host_paths: [{path: /srv/}]}":                          `mounts.host_paths[0].path: "/srv/" is not in its shortest form, which is "/srv"`,
		"mounts: {host_paths: [{path: /srv/../}]}":                       `mounts.host_paths[0].path: "/srv/../" is not in its shortest form`,
		"mounts: {host_paths: [{path: /}]}":                              `mounts.host_paths[0].path: "/" would be the whole host`,
		"mounts: {host_paths: [{path: '/srv/*'}]}":                       `mounts.host_paths[0].path: "/srv/*" is a path and no pattern`,
		"mounts: {host_paths: [{path: /etc}]}":                           `mounts.host_paths[0].path: "/etc" opens nothing: it holds what nobody may mount as a whole; name the folder below it`,
		"mounts: {host_paths: [{path: /var}]}":                           `mounts.host_paths[0].path: "/var" opens nothing`,
		"mounts: {host_paths: [{path: /run}]}":                           `mounts.host_paths[0].path: "/run" opens nothing`,
		"mounts: {host_paths: [{path: /a}, {path: /a}]}":                 "mounts.host_paths[1]: is in the list twice; keep one",
		"mounts: {host_paths: [{path: /run/docker.sock}]}":               "mounts.host_paths[0].path: \"/run/docker.sock\" is an engine's socket or state, or the executor's own; only an entry of `break_glass`",
		"mounts: {+host_paths: [{path: /var/run/docker.sock}]}":          `mounts.+host_paths[0].path: "/var/run/docker.sock" is an engine's socket`,
		"mounts: {host_paths: [{path: /run/containerd/x}]}":              `mounts.host_paths[0].path: "/run/containerd/x" is an engine's socket`,
		"mounts: {host_paths: [{path: /etc/mesos-docker-executor}]}":     `mounts.host_paths[0].path: "/etc/mesos-docker-executor" is an engine's socket or state, or the executor's own`,
		"mounts: {host_paths: [{path: /srv, path: /a}]}":                 "mounts.host_paths[0].path: is here a second time",
		"mounts: {host_paths: [{path: /srv, writable: rw}]}":             `mounts.host_paths[0].writable: "rw" is not a boolean`,
		"mounts: {host_paths: }":                                         "mounts.host_paths: has no value; write a list of entries with `path`, `writable`",
		"mounts: {denied_paths: [/]}":                                    `mounts.denied_paths[0]: "/" would be the whole host`,
		"mounts: {denied_paths: [srv]}":                                  `mounts.denied_paths[0]: "srv" is not an absolute path`,
		"mounts: {volumes: [{driver: local, names: []}]}":                "mounts.volumes[0].names: is empty; write patterns such as team-*",
		"mounts: {volumes: [{driver: local}]}":                           "mounts.volumes[0]: has no `names`",
		"mounts: {volumes: [{driver: local, names: [+a]}]}":              `mounts.volumes[0].names[0]: "+a" adds to a list, and none is inherited here; remove the +`,
		"mounts: {volumes: [{driver: local, names: [a/b]}]}":             `mounts.volumes[0].names[0]: "a/b" is no name of a volume`,
		"mounts: {volumes: [{driver: local, names: [a], options: [o]}]}": "mounts.volumes[0].options: allows nothing: options of the driver local can mount any folder of the host; remove them",
		"mounts: {tmpfs_options: [exec]}":                                "mounts.tmpfs_options[0]: \"exec\" cannot be written here; did you mean \"noexec\"?; write `noexec`, `nosuid`, `nodev`",
		"mounts: {tmpfs_options: [ro]}":                                  `mounts.tmpfs_options[0]: "ro" cannot be written here`,
		"devices: [{path: /dev/fuse, permissions: rx}]":                  `devices[0].permissions: "rx" are no permissions; write letters of rwm`,
		"devices: [{path: /dev/fuse, permissions: rr}]":                  `devices[0].permissions: "rr" are no permissions`,
		"devices: [{path: /dev/fuse, permissions: rww}]":                 `devices[0].permissions: "rww" are no permissions`,
		"devices: [{path: /dev/fuse, permissions: ''}]":                  `devices[0].permissions: "" are no permissions`,
		"devices: [{path: /dev/fuse}]":                                   "devices[0]: has no `permissions`",
		"devices: [{path: /etc/passwd, permissions: r}]":                 `devices[0].path: "/etc/passwd" is not in /dev`,
		"devices: [{path: /dev/../sda, permissions: r}]":                 `devices[0].path: "/dev/../sda" is not in its shortest form`,
		"device_cgroup_rules: ['c 10:229']":                              `device_cgroup_rules[0]: "c 10:229" is no rule`,
		"device_cgroup_rules: ['a *:* rwm']":                             `device_cgroup_rules[0]: "a *:* rwm" would open the devices of all drivers`,
		"device_cgroup_rules: ['b *:* r']":                               `device_cgroup_rules[0]: "b *:* r" would open the devices of all drivers`,
		"sysctls: [vm.swappiness]":                                       `sysctls[0]: "vm.swappiness" is not only of a container's namespaces`,
		"sysctls: ['kernel.*']":                                          `sysctls[0]: "kernel.*" is not only of a container's namespaces`,
		"sysctls: ['*']":                                                 `sysctls[0]: "*" is no kernel parameter`,
		"sysctls: [net.a=1]":                                             `sysctls[0]: "net.a=1" is no kernel parameter`,
		"denied_environment: [A=B]":                                      `denied_environment[0]: "A=B" is no name of a variable`,
		"denied_environment: ['']":                                       `denied_environment[0]: "" is no name of a variable`,
		"log_drivers: [{options: [a]}]":                                  "log_drivers[0]: has no `name`; write the driver's name, \"\" for the engine's default",
		"log_drivers: [json-file]":                                       "log_drivers[0]: has to be an entry with `name`, `options`, and is the text \"json-file\"; write {name: ...}",
		"log_drivers: [{name: '*'}]":                                     `log_drivers[0].name: "*" is no name`,
	} {
		add(line, want)
	}
	cases.run(t)
}

func TestValuesAreTakenInTheSpellingOfTheRules(t *testing.T) {
	got := rulesFor(t, parsed(t, rulesText(`
capabilities: {base: [kill, Cap_Chown], allow: [CAP_NET_RAW], on_violation: reject}
images: {allow: [registry.example/**, docker.io/library/busybox, "localhost/*/x", "*/y", "a.example:5000/z"], require_digest: true}
no_new_privileges: false
new_privileges: true
apparmor_profiles: [web]
selinux_labels: ["type:container_t", "level:s0:*"]
host_namespaces: [uts, cgroup]
run_as_non_root: TRUE
denied_groups: [0, wheel]
readonly_rootfs: true
network: {modes: [host], names: ["team-*"], aliases: true, static_addresses: true, mac_address: true, host_ips: [10.0.0.5, "::1"], host_gateway: true}
mounts:
  host_paths: [{path: /srv/a}, {path: /etc/ssl/certs, writable: true}]
  denied_paths: [/srv/a/secret]
  volumes: [{driver: rexray, names: ["v*", w], options: [size]}]
  anonymous_volumes: true
  image_volumes: false
  tmpfs_size: 0
  tmpfs_options: []
devices: [{path: /dev/ttyUSB*, permissions: wr}]
device_cgroup_rules: ["c 10:* rwm"]
gpus: true
sysctls: [net.*, kernel.shm*, kernel.sem, fs.mqueue.msg_max]
denied_environment: ["*"]
init: true
runtimes: [io.containerd.kata.v2]
log_drivers: [{name: "", options: [tag]}, {name: syslog}]
unlimited_memory: true
no_swap: false
shm_size: 2GiB
oom_score_adj: -5
pids_limit: 7
ulimits: {nofile: 5, memlock: 1KiB, as: -1, stack: unlimited, core: none}
zero_ulimits: []
`)), security.Identity{})
	ulimits := security.BuiltInRules().Ulimits
	ulimits["nofile"], ulimits["memlock"] = 5, 1024
	delete(ulimits, "core")
	want := security.Rules{
		Mode:             security.BuiltInRules().Mode,
		Capabilities:     security.CapabilityRules{Base: []string{"CAP_KILL", "CAP_CHOWN"}, Allow: []string{"CAP_NET_RAW"}, OnViolation: security.Reject},
		Images:           security.ImageRules{Allow: []string{"registry.example/**", "docker.io/library/busybox", "localhost/*/x", "*/y", "a.example:5000/z"}, RequireDigest: true},
		NewPrivileges:    true,
		AppArmorProfiles: []string{"web"}, SELinuxLabels: []string{"type:container_t", "level:s0:*"},
		HostNamespaces: []string{"uts", "cgroup"}, RunAsNonRoot: true, DeniedGroups: []string{"0", "wheel"}, ReadonlyRootfs: true,
		Network: security.NetworkRules{Modes: []string{"host"}, Names: []string{"team-*"}, Aliases: true, StaticAddresses: true, MACAddress: true, HostIPs: []string{"10.0.0.5", "::1"}, HostGateway: true},
		Mounts: security.MountRules{
			HostPaths: []security.HostPath{{Path: "/srv/a"}, {Path: "/etc/ssl/certs", Writable: true}}, DeniedPaths: []string{"/srv/a/secret"},
			Volumes: []security.VolumeRule{{Driver: "rexray", Names: []string{"v*", "w"}, Options: []string{"size"}}}, AnonymousVolumes: true,
		},
		Devices: []security.DeviceRule{{Path: "/dev/ttyUSB*", Permissions: "wr"}}, DeviceCgroupRules: []string{"c 10:* rwm"}, GPUs: true,
		Sysctls: []string{"net.*", "kernel.shm*", "kernel.sem", "fs.mqueue.msg_max"}, DeniedEnvironment: []string{"*"}, Init: true,
		Runtimes: []string{"io.containerd.kata.v2"}, LogDrivers: []security.LogDriver{{Options: []string{"tag"}}, {Name: "syslog"}},
		UnlimitedMemory: true, ShmSize: 2 << 30, OOMScoreAdj: -5, PidsLimit: 7, Ulimits: ulimits,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEveryRuleCanBeWritten: a field that is added to the rules is a key of the file at once, if its kind can be read; and it
// needs what people and messages say of it.
func TestEveryRuleCanBeWritten(t *testing.T) {
	all := facts()
	used := map[string]bool{}
	var walk func(key string, kind reflect.Type)
	walk = func(key string, kind reflect.Type) {
		f, known := all[key]
		used[key] = true
		if known && f.meaning == "" || !known && key != "" && key != "break_glass" {
			t.Errorf("%s has no meaning in facts", key)
		}
		switch kind.Kind() {
		case reflect.Struct:
			for i := range kind.NumField() {
				field := kind.Field(i)
				name := jsonName(field)
				if name == "" || name == "-" || strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
					t.Errorf("%s.%s has the JSON name %q, which is no key", key, field.Name, name)
				}
				if path := strings.TrimPrefix(key+"."+name, "."); path != "mode" && path != "break_glass.reason" && path != "break_glass.expires" {
					walk(path, field.Type)
				}
			}
		case reflect.Bool:
		case reflect.Int, reflect.Int64:
			if f.most == 0 {
				t.Errorf("%s has no range", key)
			}
		case reflect.String:
			if f.text == nil {
				t.Errorf("%s is not checked", key)
			}
		case reflect.Slice:
			switch elem := kind.Elem(); elem.Kind() {
			case reflect.Struct:
				for i := range elem.NumField() {
					walk(key+"."+jsonName(elem.Field(i)), elem.Field(i).Type)
				}
			case reflect.String:
				if f.text == nil {
					t.Errorf("the elements of %s are not checked", key)
				}
			default:
				t.Errorf("%s is a list of %s, which cannot be read", key, elem)
			}
		case reflect.Map:
			if f.name == nil || kind.Key().Kind() != reflect.String {
				t.Errorf("the names of %s are not checked", key)
			}
			if k := kind.Elem().Kind(); k != reflect.String && k != reflect.Int64 {
				t.Errorf("%s is a map to %s, which cannot be read", key, kind.Elem())
			}
		default:
			t.Errorf("%s is of type %s, which cannot be read", key, kind)
		}
	}
	walk("", reflect.TypeFor[security.Rules]())
	for key := range all {
		if !used[key] {
			t.Errorf("facts has %s, which is no rule", key)
		}
	}
}
