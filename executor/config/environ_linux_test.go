package config_test

import (
	"fmt"
	"io"
	"os"
	"testing"

	"mesos-docker-executor/executor/config"
)

const printEnviron = "PRINT_ENVIRON"

// TestMain is also the process whose environment TestEnvironShowsDuplicates looks at.
func TestMain(m *testing.M) {
	if os.Getenv(printEnviron) == "" {
		os.Exit(m.Run())
	}
	env, err := config.Environ()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("%q", env)
}

func TestEnvironShowsDuplicates(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{printEnviron + "=1", "MESOS_SLAVE_ID=a", "EMPTY=", "MESOS_SLAVE_ID=b", "LINES=1\n2"}
	if got, want := output(t, self, env), fmt.Sprintf("%q", env); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// output starts a program with exactly this environment; [exec.Cmd] would drop the duplicates.
func output(t *testing.T, program string, env []string) string {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	p, err := os.StartProcess(program, []string{program}, &os.ProcAttr{Env: env, Files: []*os.File{nil, write, os.Stderr}})
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(read)
	if _, waitErr := p.Wait(); err != nil || waitErr != nil {
		t.Fatal(err, waitErr)
	}
	return string(text)
}
