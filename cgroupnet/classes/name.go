package classes

import (
	"fmt"
	"strings"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/internal/rulefile"
)

// maxName is the length of the names of clusters, teams and apps, in bytes; maxAppID that of an app ID.
const (
	maxName  = 64
	maxAppID = 256
)

// checkName says what is wrong with the name of a cluster, a team, or an app that has no app ID.
func checkName(name string) error {
	if len(name) > maxName || strings.ContainsFunc(name, notInName) || name == "" || strings.ContainsAny(name[:1], "_.-") {
		return fmt.Errorf("%s is no name; write at most %d letters, digits, '-', '_' and '.', the first a letter or digit", message.Quote(name), maxName)
	}
	if strings.EqualFold(name, "null") {
		return fmt.Errorf("%s is no name: it is no value to YAML; write another", message.Quote(name))
	}
	return nil
}

func notInName(r rune) bool {
	return rulefile.NotInAppID(r) && (r < 'A' || r > 'Z') && r != '_'
}

// isAppID reports whether an app goes by its app ID: all others have names that only entries of identities give to tasks.
func isAppID(app string) bool { return strings.HasPrefix(app, "/") }

// checkAppName says what is wrong with the name of an app: an app ID of Marathon as it is, or a name.
func checkAppName(name string) error {
	if !isAppID(name) {
		return checkName(name)
	}
	switch {
	case strings.Contains(name, "*"):
		return fmt.Errorf("%s is a pattern, and an app has one app ID; give the class a name, and write `app: NAME` into an entry of `identities` with that pattern", message.Quote(name))
	case len(name) > maxAppID:
		return fmt.Errorf("%s is too long; an app ID has at most %d bytes here", message.Quote(name), maxAppID)
	}
	for segment := range strings.SplitSeq(name[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, rulefile.NotInAppID) {
			return fmt.Errorf("%s is no app ID of Marathon; write one such as /web/shop: segments of a-z, 0-9, . and -", message.Quote(name))
		}
	}
	return nil
}
