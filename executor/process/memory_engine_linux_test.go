package process

import (
	"errors"
	"os/exec"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// busy keeps so many processes at work until the test ends.
func busy(t *testing.T, processes int) {
	t.Helper()
	for range processes {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
}

func TestOOMKillIsSeenBeforeItsCgroupGoes(t *testing.T) {
	c := dockerClient(t)
	const lives = 12
	const limit = 24 << 20
	busy(t, 4)
	lost, read := 0, 0
	for range lives {
		f := newLeaf(t)
		id := f.create(c, container.HostConfig{Resources: container.Resources{Memory: limit, MemorySwap: limit}},
			"sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done")
		answer := make(chan error, 1)
		go func() { answer <- c.ContainerStart(t.Context(), id, container.StartOptions{}) }()
		init, err := f.WatchInit(limited(t), id)
		if err != nil {
			t.Fatalf("%v (start: %v)", err, <-answer)
		}
		memory, err := f.OpenMemory(id)
		if err != nil {
			t.Fatalf("%v (start: %v)", err, <-answer)
		}
		if err := init.Dead(limited(t)); err != nil {
			t.Error(err)
		}
		report, err := memory.Read()
		if memory.best().OOMKills > 0 {
			read++
		}
		if err != nil || report.OOMKills == 0 || report.Limit != 0 && report.Limit != limit || report.Peak != 0 && report.Peak < limit/10*9 {
			lost++
			t.Logf("%+v, %v", report, err)
		}
		if err := errors.Join(<-answer, memory.Close(), init.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d lost, %d read in time, of %d", lost, read, lives)
	if lost > 0 {
		t.Errorf("the evidence of %d of %d kills was lost", lost, lives)
	}
}
