package hostcheck

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Claims are what executors of this host have noted of themselves, see process.Claim.
type Claims struct {
	Folder string
	Living int
	Dead   []string // container ids of those whose executor is dead
	Others int      // files that are no claims
	More   bool     // there are more than are looked at
	Err    error    // why they are not known
}

// Line is about what the next executor will have to clean up.
func (c Claims) Line() Line {
	l := lines{subject: "executors"}
	const name = "claims"
	text := fmt.Sprintf("%s running", counted(c.Living, "executor"))
	switch {
	case c.Err != nil:
		l.warn(name, fmt.Sprintf("not known: %v", c.Err), ownAgain(c.Err, "a folder that others can change has to be root's again, with mode 0700"))
	case len(c.Dead) > 0:
		l.warn(name, fmt.Sprintf("%s, and %s left something: %s", text, counted(len(c.Dead), "dead one"), some(c.Dead)),
			"the next executor that starts, or mesos-docker-executor gc, ends and removes their containers; if they stay, look for sweep in its mesos-docker-executor.log")
	case c.Others > 0:
		l.warn(name, fmt.Sprintf("%s, and %s that no executor of this version made", text, counted(c.Others, "file")),
			"see what is in "+c.Folder+", and remove what is not an executor's")
	default:
		l.ok(name, text+", none has died and left something")
	}
	if c.More {
		l.all[0].Text += "; there are more that were not looked at"
	}
	return l.all[0]
}

// ownAgain is the remedy for what cannot be read: for root, as executors are, it is rarely a matter of permission.
func ownAgain(err error, asRoot string) string {
	if errors.Is(err, fs.ErrPermission) {
		return "run doctor as root"
	}
	return asRoot
}

// some are the first of the names, all if they are few.
func some(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
