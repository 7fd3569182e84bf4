package hostcheck

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mesos-docker-executor/executor/process"
)

func TestClaimsOfTheDeadAreFoundAndLeftAlone(t *testing.T) {
	run := t.TempDir()
	if c := lookAtClaims(run); c.Err != nil || c.Living != 0 || len(c.Dead) != 0 {
		t.Fatalf("no folder: %+v", c)
	}
	tasks := filepath.Join(run, "tasks")
	claim := func(id string) *process.Claim {
		c, err := process.NewClaim(tasks, id, process.ClaimRecord{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	living, dead := claim("living"), claim("dead")
	defer living.Release(true)
	if err := dead.Release(false); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tasks, "README.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first look changes nothing
		c := lookAtClaims(run)
		if c.Err != nil || c.Living != 1 || !slices.Equal(c.Dead, []string{"dead"}) || c.Others != 1 {
			t.Errorf("%+v", c)
		}
	}
	if err := os.Chmod(tasks, 0o777); err != nil {
		t.Fatal(err)
	}
	if c := lookAtClaims(run); c.Err == nil {
		t.Errorf("a folder that others can change: %+v", c)
	}
}

func TestFilesLimit(t *testing.T) {
	const head = "Limit                     Soft Limit           Hard Limit           Units     \nMax cpu time              unlimited            unlimited            seconds   \n"
	for text, want := range map[string]int{
		head + "Max open files            1024                 524288               files     \n": 1024,
		head + "Max open files            unlimited            unlimited            files     \n": 0,
		"": 0,
	} {
		if got := filesLimit(text); got != want {
			t.Errorf("%d of %q", got, text)
		}
	}
	if f := filesOf(os.Getpid()); f.Open < 3 || f.Limit < f.Open {
		t.Errorf("our own: %+v", f)
	}
}
