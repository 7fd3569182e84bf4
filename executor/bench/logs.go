//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// logPairs is how many pairs of outputs are compared.
const logPairs = 9

// leastLogMiB is how much output it takes: less is over before its first byte is seen, within the polls of some milliseconds.
const leastLogMiB = 16

// logs compares the throughput of a task's output into the sandbox with that of `docker run` into a file: the same
// command under the same limits, from the first byte in the file to the last.
func (b *bench) logs(ctx context.Context) error {
	docker, err := exec.LookPath("docker")
	if err != nil {
		return fmt.Errorf("%w: the docker command is what the executor is compared with; install it, or leave this part out", err)
	}
	var ours, theirs []float64
	sides := []func() error{
		func() error {
			took, err := b.ourOutput(ctx)
			ours = append(ours, took)
			return err
		},
		func() error {
			took, err := b.dockerOutput(ctx, docker)
			theirs = append(theirs, took)
			return err
		},
	}
	for i := range logPairs {
		b.notes.say("logs: pair %d of %d", i+1, logPairs)
		if err := errors.Join(sides[i%2](), sides[1-i%2]()); err != nil {
			return err
		}
	}
	// Throughputs are to each other as the times are the other way round.
	b.report.add("logs", ratioOf(singly(theirs), singly(ours)), "%d MiB: %s and %s MB/s",
		b.logMiB, b.rate(median(ours)), b.rate(median(theirs)))
	return nil
}

func (b *bench) bytes() int64 { return int64(b.logMiB) << 20 }

func (b *bench) rate(milliseconds float64) string {
	return number(float64(b.bytes()) / 1e3 / milliseconds)
}

// output is the command: lines of 100 bytes.
func (b *bench) output() string {
	return fmt.Sprintf("yes %s | head -c %d", strings.Repeat("x", 99), b.bytes())
}

func (b *bench) ourOutput(ctx context.Context) (float64, error) {
	r, err := b.startExecutor(b.output(), b.engine.Socket)
	if err != nil {
		return 0, err
	}
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := r.awaitSubscribe(patient); err != nil {
		return 0, err
	}
	if _, err := r.launch(); err != nil {
		return 0, err
	}
	took, err := b.filled(patient, filepath.Join(r.sandbox, "stdout"))
	if err != nil {
		return 0, err
	}
	if err := r.awaitExit(ctx); err != nil {
		return 0, err
	}
	return took, os.RemoveAll(r.sandbox)
}

func (b *bench) dockerOutput(ctx context.Context, docker string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	path := filepath.Join(b.dir, "docker-run.out")
	out, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer os.Remove(path)
	defer out.Close()
	cmd := exec.CommandContext(ctx, docker, "--host="+b.engine.Host, "run", "--rm",
		// The limits and the network of the executor's task.
		fmt.Sprintf("--memory=%dm", taskMiB), fmt.Sprintf("--memory-swap=%dm", taskMiB), // no swap
		fmt.Sprintf("--cpu-shares=%d", taskShares),
		"--network="+strings.ToLower(b.network),
		b.image, "sh", "-c", b.output())
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	took, err := b.filled(ctx, path)
	if err != nil {
		cancel()
	}
	return took, errors.Join(err, cmd.Wait())
}

// filled waits until the file holds all output and returns the milliseconds since its first byte.
func (b *bench) filled(ctx context.Context, path string) (float64, error) {
	var first time.Time
	err := poll(ctx, path+" to be full", func() (bool, error) {
		info, err := os.Stat(path)
		if err != nil {
			return false, err
		}
		if first.IsZero() && info.Size() > 0 {
			first = time.Now()
		}
		return info.Size() >= b.bytes(), nil
	})
	return ms(time.Since(first)), err
}
