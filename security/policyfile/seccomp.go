package policyfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rootfile"
	"mesos-docker-executor/internal/rulefile"
)

// maxProfileSize is the size of a seccomp profile in bytes beyond which it is something else. Docker's own has 20 KiB.
const maxProfileSize = 256 << 10

// unreadProfile stands for profiles that were not read: it forbids every call.
const unreadProfile = `{"defaultAction":"SCMP_ACT_ERRNO"}`

// checkProfileName says what is wrong with the name of a seccomp profile.
func checkProfileName(name string) error {
	switch name {
	case "unconfined", "builtin":
		return fmt.Errorf("%s is the engine's own word, and cannot be a profile's name; choose another", message.Quote(name))
	}
	return checkName(name)
}

func seccompPath(s string) (string, error) {
	switch {
	case strings.EqualFold(s, "unconfined"):
		return "", fmt.Errorf("%s is refused here; %s: `allow: {unconfined: [seccomp]}`", message.Quote(s), onlyBreakGlass)
	case !strings.HasPrefix(s, "/"):
		return "", fmt.Errorf("%s is not the absolute path of a profile in JSON, nor `none`", message.Quote(s))
	}
	return s, rootfile.CheckPath(s)
}

// profile returns the content of a seccomp profile, read once.
func (p *parser) profile(e rulefile.Entry, path string) string {
	if content, read := p.profiles[path]; read {
		return content
	}
	if p.read == nil {
		p.out.unread = true
		return unreadProfile
	}
	data, err := p.read(path)
	if err == nil {
		err = checkProfile(data)
	}
	if err != nil {
		p.Wrong(e, "%s: %v", message.Quote(path), err)
		return ""
	}
	p.profiles[path] = string(data)
	return string(data)
}

// checkProfile refuses what is no profile, and what the engine takes for none at all: without a default action and calls it
// switches the filter off (moby, profiles/seccomp, setupSeccomp), and one that allows whatever it does not name, and names
// nothing else, is no filter either.
func checkProfile(data []byte) error {
	var profile struct {
		DefaultAction string
		Syscalls      []struct{ Action string }
	}
	switch err := json.Unmarshal(data, &profile); {
	case len(data) > maxProfileSize:
		return rootfile.TooLarge(maxProfileSize)
	case err != nil:
		return fmt.Errorf("is no seccomp profile in JSON: %v", err)
	case !strings.HasPrefix(profile.DefaultAction, "SCMP_ACT_"):
		return errors.New("has no defaultAction, without which the engine filters nothing; write \"defaultAction\": \"SCMP_ACT_ERRNO\" and the calls that are allowed")
	}
	forbids := !passes(profile.DefaultAction)
	for _, calls := range profile.Syscalls {
		forbids = forbids || !passes(calls.Action)
	}
	if !forbids {
		return fmt.Errorf("forbids no call, which is unconfined; %s: `allow: {unconfined: [seccomp]}`", onlyBreakGlass)
	}
	return nil
}

func passes(action string) bool { return action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_LOG" }
