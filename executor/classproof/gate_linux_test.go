package classproof

import (
	"fmt"
	"os"
	"path/filepath"
)

// gateway is the engine's OCI runtime: runc, and before it a script that holds a container while somebody watches for it. Between
// runc's create and start the container has its network namespace, its addresses and its cgroup, and its program does not run yet.
type gateway struct{ dir string }

// runcBehindTheGate asks for a start by a file named after the container, which holds the pid of its init: containerd's shim has it in
// the bundle, which is its working folder. It goes on when the file, or the folder for such files, is removed, or when the tests have died.
const runcBehindTheGate = `#!/bin/sh
asks=$(dirname "$0")/asks
case " $* " in
*' start '*)
	for id; do :; done
	if cp init.pid "$asks/.$id" 2>/dev/null && mv "$asks/.$id" "$asks/$id" 2>/dev/null; then
		while [ -e "$asks/$id" ] && [ -e /proc/%d ]; do sleep 0.01; done
	fi
	;;
esac
exec runc "$@"
`

func newGate() (gateway, error) {
	dir, err := os.MkdirTemp("", "classproof-")
	if err != nil {
		return gateway{}, err
	}
	g := gateway{dir}
	return g, os.WriteFile(g.runtime(), fmt.Appendf(nil, runcBehindTheGate, os.Getpid()), 0o700)
}

func (g gateway) runtime() string { return filepath.Join(g.dir, "runtime") }

// asks is the folder of the containers that are held. Without it none is.
func (g gateway) asks() string { return filepath.Join(g.dir, "asks") }
