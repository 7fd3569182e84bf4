//go:build !linux

package localagent

import (
	"context"
	"os/exec"
	"syscall"
)

// Without Linux there is no freezer and no /proc; the executor does not run
// there, but the endpoint does.

func (p *process) signalTree(sig syscall.Signal) { _ = p.Signal(sig) }

func (a *Agent) fork(cmd *exec.Cmd) error { return cmd.Start() }

func (a *Agent) killCgroup(context.Context) error { return nil }

func (a *Agent) lookForRoots() error { return nil }

func (a *Agent) removeCgroups() error { return nil }
