package gcproof

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mesos-docker-executor/executor/enginetest"
)

// The Docker Engine of this package's tests, short of inodes and not of bytes, and the program. Only TestMain sets them.
var (
	private *enginetest.Engine
	binary  string
)

const (
	diskSize   = 64 << 30 // of which nearly nothing is used
	diskInodes = 50_000
)

func TestMain(m *testing.M) { os.Exit(run(context.Background(), m)) }

func run(ctx context.Context, m *testing.M) int {
	dir, err := os.MkdirTemp("", "gcproof-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "executor")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "mesos-docker-executor/executor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		return 1
	}
	o := enginetest.Options{DataSize: diskSize, Inodes: diskInodes}
	return enginetest.RunWith(ctx, m, o, func(e *enginetest.Engine) { private = e })
}

// after is for what has to be done when the test's own context has ended.
func after(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
