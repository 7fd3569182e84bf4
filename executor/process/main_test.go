//go:build linux

package process

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/enginetest"
)

// dockerEngine is the private engine of this package's tests.
var dockerEngine *enginetest.Engine

// TestMain also plays the processes that no shell can: the test binary starts itself with
// PLAY set to one of the roles.
func TestMain(m *testing.M) {
	if role := os.Getenv("PLAY"); role != "" {
		play(role)
	}
	os.Exit(enginetest.Run(context.Background(), m, func(e *enginetest.Engine) { dockerEngine = e }))
}

func play(role string) {
	var line [1]byte
	_, _ = os.Stdin.Read(line[:]) // the test moves us into the leaf first
	switch role {
	case "exec from another thread":
		onThread(func(leader bool) bool { return !leader }, func() {
			fmt.Println(unix.Exec("/bin/sh", []string{"sh", "-c", "sleep 0.1; exit 7"}, nil))
		})
	case "first thread ends before the others":
		onThread(func(leader bool) bool { return leader }, func() {
			go func() {
				waitUntil := time.Now().Add(10 * time.Second)
				for time.Now().Before(waitUntil) {
					if st, err := readStat(os.Getpid()); err == nil && st.state == "Z" {
						os.Exit(3)
					}
					runtime.Gosched()
				}
				os.Exit(99)
			}()
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
		})
	case "first thread ends and the others stay":
		onThread(func(leader bool) bool { return leader }, func() { _, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0) })
	case "kill the own leaf":
		hs, err := cgroupnet.Hierarchies()
		if err == nil {
			err = OpenLeaf(hs, os.Getenv("LEAF")).Kill()
		}
		fmt.Print(err)
		os.Exit(0)
	}
	time.Sleep(10 * time.Second)
	os.Exit(98)
}

// onThread runs f on a thread of the choice, which is never given back.
func onThread(choose func(leader bool) bool, f func()) {
	for range 1000 {
		chosen := make(chan bool)
		go func() {
			runtime.LockOSThread()
			ok := choose(unix.Gettid() == unix.Getpid())
			chosen <- ok
			if ok {
				f()
			}
			select {}
		}()
		if <-chosen {
			return
		}
	}
}
