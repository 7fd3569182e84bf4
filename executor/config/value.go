package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"unicode"

	"mesos-docker-executor/internal/rootfile"
)

// maxSocketPath is the longest path of a Unix socket in bytes: sun_path has
// 108 with the ending NUL (unix(7)).
const maxSocketPath = 107

// maxPath is the longest path in bytes, without the ending NUL (PATH_MAX,
// limits.h).
const maxPath = 4095

// maxName is the longest name of a file or folder in bytes (NAME_MAX,
// limits.h). Mesos makes a folder of each id.
const maxName = 255

// checkID says what is wrong with a framework, executor or agent id. The rules
// are those of Mesos (validateID in src/common/validation.cpp) and those that
// follow from ids being names of folders.
func checkID(id string) error {
	switch {
	case id == "":
		return errors.New("is empty")
	case len(id) > maxName:
		return fmt.Errorf("%s is longer than %d bytes", quote(id), maxName)
	case id == "." || id == "..":
		return fmt.Errorf("%s is no id", quote(id))
	case strings.ContainsAny(id, `/\`):
		return fmt.Errorf("%s contains a slash, which no Mesos id does", quote(id))
	case strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("%s contains a control character, which no Mesos id does", quote(id))
	}
	return nil
}

// checkContainerID says what is wrong with a Mesos container id. The agent
// makes it (a UUID); it becomes part of cgroup paths, file names and the
// container's name, so only letters, digits, "-" and "_" are let through. A dot
// would also separate it from the agent id in container names of old agents.
func checkContainerID(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if strings.ContainsFunc(id, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '_' }) {
		return fmt.Errorf("%s is no container id (letters, digits, - and _)", quote(id))
	}
	return nil
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// parseEndpoint reads "ip:port" or "[ip6]:port" and nothing else: no scheme, no
// path, no host name, no zone.
func parseEndpoint(s string) (netip.AddrPort, error) {
	e, err := netip.ParseAddrPort(s)
	switch {
	case s == "":
		return e, errors.New("is empty; ip:port is needed, such as 10.0.0.5:5051")
	case err != nil || e.Addr().Zone() != "":
		return e, fmt.Errorf("%s is not ip:port, such as 10.0.0.5:5051 (no scheme, host name or path; port 1 to 65535)", quote(s))
	case e.Port() == 0:
		return e, fmt.Errorf("%s has port 0; 1 to 65535 is possible", quote(s))
	case e.Addr().IsUnspecified() || e.Addr().IsMulticast():
		return e, fmt.Errorf("%s is not the address of one host", quote(s))
	}
	return e, nil
}

// checkPath says what is wrong with an absolute path of config.yaml. It must be
// in its shortest form.
func checkPath(p string) error { return rootfile.CheckPath(p) }

// checkAbsolute leaves the form to whoever chose the path.
func checkAbsolute(p string) error { return rootfile.CheckAbsolute(p) }

// agentFolder returns a path that comes from the agent, and must not be "/",
// in its shortest form. Agents pass on what their operator wrote, such as
// --work_dir=/var//lib/mesos. A path with ".." stays as it is: behind a
// symbolic link "a/.." is not what it reads like, and only the file system
// knows.
func agentFolder(p string) (string, error) {
	if err := checkAbsolute(p); err != nil {
		return "", err
	}
	if !slices.Contains(strings.Split(p, "/"), "..") {
		p = path.Clean(p)
	}
	return p, refuseRoot(p)
}

// engineSocket is agentFolder for the engine's Unix socket.
func engineSocket(p string) (string, error) {
	p, err := agentFolder(p)
	if err != nil {
		return "", err
	}
	return p, checkSocketLength(p)
}

// maxSocketName is the longest name of the agent's socket in its folder: the
// session reaches a path that is too long for an address through
// /proc/self/fd/<number>/.
const maxSocketName = maxSocketPath - len("/proc/self/fd/2147483647/")

// agentSocket is agentFolder for the agent's own Unix socket, whose path may be
// longer than the address of a socket: agents keep to that length, but in
// custom mode it may be a path in another mount namespace
// (src/executor/executor.cpp).
func agentSocket(p string) (string, error) {
	p, err := agentFolder(p)
	switch {
	case err != nil:
		return "", err
	case len(p) > maxPath:
		return "", fmt.Errorf("%s has %d bytes; a path has at most %d", quote(p), len(p), maxPath)
	case len(p) > maxSocketPath && len(path.Base(p)) > maxSocketName:
		return "", fmt.Errorf("%s is too long for a socket; its last element may have %d bytes", quote(p), maxSocketName)
	}
	return p, nil
}

// checkFolder is checkPath for a folder that has to be one of its own.
func checkFolder(p string) error {
	if err := checkPath(p); err != nil {
		return err
	}
	return refuseRoot(p)
}

func refuseRoot(p string) error {
	if p == "/" {
		return errors.New(`"/" cannot be used; name a folder below it`)
	}
	return nil
}

// checkOptionalPath is checkFolder for a path that may be missing.
func checkOptionalPath(p string) error {
	if p == "" {
		return nil
	}
	return checkFolder(p)
}

// isHelperName is true of what the names of credential helpers look like: 1
// to 64 letters, digits, _, . and -, the first a letter or digit.
func isHelperName(name string) bool {
	bad := func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("_.-", r) }
	return name != "" && len(name) <= 64 && isAlphanumeric(rune(name[0])) && !strings.ContainsFunc(name, bad)
}

// checkHelpers accepts what follows "docker-credential-" in the names of
// programs.
func checkHelpers(names string) error {
	for _, name := range (Registry{TaskHelpers: names}).Helpers() {
		if !isHelperName(name) {
			return fmt.Errorf("%s is no name of a credential helper; docker-credential-ecr-login has the name ecr-login", quote(name))
		}
		if strings.HasPrefix(name, "docker-credential-") {
			return fmt.Errorf("%s is the name of the program; write %s", quote(name), quote(strings.TrimPrefix(name, "docker-credential-")))
		}
	}
	return nil
}

// checkSocketPath is checkPath for a Unix socket.
func checkSocketPath(p string) error {
	if err := checkFolder(p); err != nil {
		return err
	}
	return checkSocketLength(p)
}

func checkSocketLength(p string) error {
	if len(p) > maxSocketPath {
		return fmt.Errorf("%s has %d bytes; the path of a socket has at most %d", quote(p), len(p), maxSocketPath)
	}
	return nil
}
