package hostcheck

import (
	"fmt"
	"slices"
	"strings"
)

// agentFlags are the flags of an agent that the checks are about, and the only ones of which anything is kept. None has a secret as
// its value, as --credential, --http_credentials, --modules, --executor_environment_variables and others have or may have.
// Defaults are those of Mesos 1.x (src/slave/flags.cpp, src/slave/constants.hpp); "" where there is none, or where the build decides.
func agentFlags() map[string]string {
	return map[string]string{
		"containerizers":                 "mesos",
		"launcher":                       "",
		"launcher_dir":                   "",
		"isolation":                      "posix/cpu,posix/mem",
		"docker_socket":                  "/var/run/docker.sock",
		"docker_mesos_image":             "",
		"cgroups_root":                   "mesos",
		"cgroups_net_cls_primary_handle": "",
		"executor_registration_timeout":  "1mins",
		"recover":                        "reconnect",
		"recovery_timeout":               "15mins",
		"work_dir":                       "",
	}
}

// flags are those of agentFlags that an agent was given.
type flags map[string]string

// resolve replaces values of the form file:///path by what read finds at the path, less the space around it, as an agent takes
// them (3rdparty/stout/include/stout/flags/fetch.hpp). The error is about a flag whose file cannot be read.
func (f flags) resolve(read func(path string) (string, error)) error {
	for name, value := range f {
		path, ok := strings.CutPrefix(value, "file://")
		if !ok {
			continue
		}
		text, err := read(path)
		if err != nil {
			return fmt.Errorf("--%s=%s: %w", name, value, err)
		}
		f[name] = strings.TrimSpace(text)
	}
	return nil
}

// parseFlags reads a command line and an environment as an agent does (3rdparty/stout/include/stout/flags/flags.hpp): --name=value in any
// case, and MESOS_NAME, over which the command line wins.
func parseFlags(words, environ []string) flags {
	known, found := agentFlags(), flags{}
	take := func(name, value string) {
		if _, ok := known[name]; ok {
			found[name] = value
		}
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if name, ok := strings.CutPrefix(name, "MESOS_"); ok {
			take(strings.ToLower(name), value)
		}
	}
	for _, word := range words {
		if word == "--" {
			break
		}
		if flag, ok := strings.CutPrefix(word, "--"); ok {
			name, value, _ := strings.Cut(flag, "=")
			take(strings.ToLower(name), value)
		}
	}
	return found
}

// given reports whether the agent was given the flag.
func (f flags) given(name string) bool { _, ok := f[name]; return ok }

// get is the flag's value, its default if it was not given.
func (f flags) get(name string) string {
	if value, ok := f[name]; ok {
		return value
	}
	return agentFlags()[name]
}

// has reports whether a flag whose value is a list, with commas, has an item.
func (f flags) has(name, item string) bool {
	return slices.Contains(strings.Split(strings.ReplaceAll(f.get(name), " ", ""), ","), item)
}

// shown is the flag as one writes it, for messages.
func (f flags) shown(name string) string {
	text := "--" + name + "=" + f.get(name)
	if !f.given(name) {
		text += " (default)"
	}
	return text
}
