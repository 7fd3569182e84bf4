// Package trusttest starts, for tests, processes that listen for somebody else.
package trusttest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Start starts a process that prints where it listens and lives until its input
// ends, which is at the end of the test. It returns what was printed and the
// process's input.
func Start(t testing.TB, cmd *exec.Cmd) (address string, input io.Writer) {
	t.Helper()
	// The race detector would have each process sleep a second before it exits.
	cmd.Env = append(cmd.Environ(), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not say where it listens: %v", cmd, err)
	}
	return strings.TrimSpace(line), in
}
