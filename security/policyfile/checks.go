package policyfile

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/syndtr/gocapability/capability"

	"mesos-docker-executor/internal/glob"
	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rootfile"
	"mesos-docker-executor/security"
)

// onlyBreakGlass ends the errors about what ordinary rules cannot lift.
const onlyBreakGlass = "only an entry of `break_glass` can lift this, with reason and expiry"

func wrongWord(s string, words []string) error {
	return fmt.Errorf("%s cannot be written here%s; write %s", message.Quote(s), message.Meant(strings.ToLower(s), words), message.OneOf(words))
}

// aCapability checks the name of a capability, and writes it as the rules do. The names are the library's fixed list, not what the
// host's kernel has: one file is for many hosts.
func aCapability(s string) (string, error) {
	name, known := security.ParseCapability(s)
	switch {
	case name == "ALL" || name == "CAP_ALL":
		return "", fmt.Errorf("%s is refused: with it a container is as good as privileged; write the names of those that are needed", message.Quote(s))
	case !known:
		var names []string
		for _, c := range capability.List() {
			names = append(names, "CAP_"+strings.ToUpper(c.String()))
		}
		return "", fmt.Errorf("%s is no capability%s; write a name of capabilities(7)", message.Quote(s), message.Meant(name, names))
	}
	return name, nil
}

// nonEmpty takes any text of one word.
func nonEmpty(s string) (string, error) {
	if s == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		return "", fmt.Errorf("%s is no name: it is empty or has a blank", message.Quote(s))
	}
	return s, nil
}

// isWord reports whether s begins with a letter or digit of ASCII, and goes on with those and some other characters.
func isWord(s, others string) bool {
	for i, r := range s {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune(others, r)) {
			return false
		}
	}
	return s != ""
}

// word takes a name of Docker's: of a driver, a runtime or an option.
func word(s string) (string, error) {
	if !isWord(s, "_.:/-") {
		return "", fmt.Errorf("%s is no name; write letters, digits and _ . : / -, and no pattern", message.Quote(s))
	}
	return s, nil
}

func wordOrNone(s string) (string, error) {
	if s == "" {
		return s, nil
	}
	return word(s)
}

// checkName says what is wrong with a name that tasks have to write.
func checkName(name string) error {
	if len(name) > maxName || !isWord(name, "_.-") {
		return fmt.Errorf("%s is no name; write at most %d letters, digits, '-', '_' and '.', the first a letter or digit", message.Quote(name), maxName)
	}
	return nil
}

// confined refuses the word that switches a confinement off; kind is that of the confinement among those of break_glass.
func confined(off, kind string, check func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if strings.EqualFold(s, off) {
			return "", fmt.Errorf("%s is refused here; %s: `allow: {unconfined: [%s]}`", message.Quote(s), onlyBreakGlass, kind)
		}
		return check(s)
	}
}

func selinuxLabel(s string) (string, error) {
	kind, value, found := strings.Cut(s, ":")
	if !found || value == "" || !slices.Contains([]string{"user", "role", "type", "level", "filetype"}, kind) || kind != "level" && strings.Contains(value, ":") {
		return "", fmt.Errorf("%s is no label; write user:, role:, type:, level: or filetype: and its value, such as type:container_t", message.Quote(s))
	}
	for _, unconfined := range security.UnconfinedLabels() {
		if glob.MatchBelow(s, unconfined) {
			return "", fmt.Errorf("%s is refused here: it lets a task have %s, which is unconfined; %s: `allow: {unconfined: [selinux]}`",
				message.Quote(s), unconfined, onlyBreakGlass)
		}
	}
	return nonEmpty(s)
}

func ordinaryNamespace(s string) (string, error) {
	switch s {
	case "cgroup", "uts":
		return s, nil
	case "ipc", "pid", "userns":
		return "", fmt.Errorf("%s is refused here; %s: `allow: {host_namespaces: [%s]}`", message.Quote(s), onlyBreakGlass, s)
	case "net", "network":
		return "", fmt.Errorf("%s is no namespace of this list; write `host` into network.modes", message.Quote(s))
	}
	return "", wrongWord(s, []string{"cgroup", "uts"})
}

// account takes a name or a number of a group; see [security.CheckUser].
func account(s string) (string, error) {
	if strings.Contains(s, ":") || security.CheckUser(s) != nil {
		return "", fmt.Errorf("%s is no group; write a name or a number from 0 to 2147483647", message.Quote(s))
	}
	return s, nil
}

// imagePattern takes patterns of repositories as Docker writes them in full.
func imagePattern(s string) (string, error) {
	registry, rest, found := strings.Cut(s, "/")
	switch head, _ := strings.CutSuffix(s, "**"); {
	case s == "**":
		return s, nil
	case strings.Contains(head, "**") || head != s && !strings.HasSuffix(head, "/"):
		return "", fmt.Errorf("%s has ** elsewhere than in /** at the end; write `*` for a part without a slash", message.Quote(s))
	case strings.Contains(s, "@") || strings.Contains(rest, ":"):
		return "", fmt.Errorf("%s has a tag or digest; write the repository alone", message.Quote(s))
	case s != strings.ToLower(s) || !isWord(strings.ReplaceAll(s, "*", "x"), "._:/-") || strings.HasSuffix(s, "/") || strings.Contains(s, "//"):
		return "", fmt.Errorf("%s is no repository; write one in lower case such as docker.io/library/busybox, or a pattern of it", message.Quote(s))
	case !found:
		return "", fmt.Errorf("%s matches no repository, which is written in full; write docker.io/library/%s, or with its registry",
			message.Quote(s), message.Shorten(s))
	case !strings.ContainsAny(registry, ".:*") && registry != "localhost":
		return "", fmt.Errorf("%s does not begin with a registry; write docker.io/%s", message.Quote(s), message.Shorten(s))
	}
	return s, nil
}

func networkPattern(s string) (string, error) {
	switch {
	case s == "bridge" || s == "none" || s == "host":
		return "", fmt.Errorf("%s is no user network; write it into network.modes", message.Quote(s))
	case s == "default" || !isWord(strings.ReplaceAll(s, "*", "x"), "_.-"):
		return "", fmt.Errorf("%s is no name of a user network; write letters, digits and _ . -, and * for any of them", message.Quote(s))
	}
	return s, nil
}

// hostIP takes an address in the spelling that tasks have to use: the rules compare texts.
func hostIP(s string) (string, error) {
	address, err := netip.ParseAddr(s)
	switch {
	case err != nil || address.Zone() != "":
		return "", fmt.Errorf("%s is no IP address; write one such as 10.0.0.5, without port, prefix or zone", message.Quote(s))
	case address.String() != s:
		return "", fmt.Errorf("%s is not in its shortest form, which is %s", message.Quote(s), address)
	}
	return s, nil
}

func hostPath(s string) (string, error) {
	switch err := rootfile.CheckPath(s); {
	case err != nil:
		return "", err
	case s == "/":
		return "", fmt.Errorf("%s would be the whole host; name the folders that are meant", message.Quote(s))
	case strings.Contains(s, "*"):
		return "", fmt.Errorf("%s is a path and no pattern; name the folder, all below it is meant too", message.Quote(s))
	}
	return s, nil
}

func volumePattern(s string) (string, error) {
	if !isWord(strings.ReplaceAll(s, "*", "x"), "_.-") {
		return "", fmt.Errorf("%s is no name of a volume; write letters, digits and _ . -, and * for any of them", message.Quote(s))
	}
	return s, nil
}

func devicePattern(s string) (string, error) {
	if err := rootfile.CheckPath(s); err != nil {
		return "", err
	}
	if !strings.HasPrefix(s, "/dev/") {
		return "", fmt.Errorf("%s is not in /dev; write a path such as /dev/fuse", message.Quote(s))
	}
	for _, memory := range []string{"/dev/mem", "/dev/kmem", "/dev/port"} { // mem(4)
		switch {
		case s == memory:
			return "", fmt.Errorf("%s is the host's memory and ports, by which a container is as good as privileged; remove it", message.Quote(s))
		case glob.MatchBelow(s, memory):
			return "", fmt.Errorf("%s stands for the host's memory and disks, too; name the devices that are meant", message.Quote(s))
		}
	}
	return s, nil
}

func devicePermissions(s string) (string, error) {
	if s == "" || len(s) > 3 || strings.Trim(s, "rwm") != "" || strings.Count(s, s[:1]) > 1 || len(s) == 3 && s[1] == s[2] {
		return "", fmt.Errorf("%s are no permissions; write letters of rwm (read, write, mknod), each once", message.Quote(s))
	}
	return s, nil
}

// deviceRule takes a rule of the devices cgroup as docker run does, for one kind of device.
func deviceRule(s string) (string, error) {
	kind, rest, _ := strings.Cut(s, " ")
	numbers, permissions, _ := strings.Cut(rest, " ")
	major, minor, _ := strings.Cut(numbers, ":")
	_, err := devicePermissions(permissions)
	if !slices.Contains([]string{"a", "b", "c"}, kind) || !isNumberOrStar(major) || !isNumberOrStar(minor) || err != nil {
		return "", fmt.Errorf("%s is no rule; write type, major:minor and permissions, such as \"c 10:229 rwm\"", message.Quote(s))
	}
	if kind == "a" || major == "*" {
		return "", fmt.Errorf("%s would open the devices of all drivers, the host's disks among them; write c or b and a major number", message.Quote(s))
	}
	return s, nil
}

func isNumberOrStar(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil || s == "*"
}

// sysctlPattern takes parameters of namespaces, which are all that the container runtime sets (runc,
// libcontainer/configs/validate, sysctl).
func sysctlPattern(s string) (string, error) {
	ofIPC := []string{"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
		"kernel.shm_rmid_forced"}
	head, _, wild := strings.Cut(s, "*")
	switch {
	case !isWord(s, "_.*/-"):
		return "", fmt.Errorf("%s is no kernel parameter; write a name such as net.ipv4.tcp_syncookies, or a pattern of it", message.Quote(s))
	case strings.HasPrefix(head, "net.") || strings.HasPrefix(head, "fs.mqueue."):
	case !wild && slices.Contains(ofIPC, s):
	case wild && slices.ContainsFunc([]string{"kernel.msg", "kernel.shm"}, func(p string) bool { return strings.HasPrefix(head, p) }):
	default:
		return "", fmt.Errorf("%s is not only of a container's namespaces, and the others are the host's; write names of net.*, fs.mqueue.* or %s",
			message.Quote(s), strings.Join(ofIPC, ", "))
	}
	return s, nil
}

func variablePattern(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, "= \t") {
		return "", fmt.Errorf("%s is no name of a variable; write one such as NVIDIA_*, without = and blanks", message.Quote(s))
	}
	return s, nil
}

// byteUlimits are in bytes (getrlimit(2)).
func byteUlimits() []string {
	return []string{"as", "core", "data", "fsize", "memlock", "msgqueue", "rss", "stack"}
}

func byteUlimitList() string { return strings.Join(byteUlimits(), ", ") }

// ulimits returns the check of the names of ulimits: those that the built-in rules know.
func ulimits() func(string) error {
	known := slices.Sorted(maps.Keys(security.BuiltInRules().Ulimits))
	return func(s string) error {
		if !slices.Contains(known, s) {
			return fmt.Errorf("%s is no ulimit%s; known are %s", message.Quote(s), message.Meant(s, known), strings.Join(known, ", "))
		}
		return nil
	}
}
