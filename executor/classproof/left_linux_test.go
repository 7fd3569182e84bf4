package classproof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/moby/sys/mountinfo"

	"mesos-docker-executor/cgroupnet"
)

// leaveNothing checks at the end of the test, after all other clean-up, that nothing of it is left: no container, leaf, network
// namespace, counter, goroutine or open file.
func leaveNothing(t *testing.T) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	t.Cleanup(func() {
		err := poll(func() error { return errors.Join(noContainers(t), noLeaves(), noNamespaces()) })
		if err != nil {
			t.Error(err)
		}
		err = poll(func() error {
			api.Close() // its idle connections; it makes new ones
			if g, f := runtime.NumGoroutine(), openFiles(t); g > goroutines || f > files {
				return fmt.Errorf("%d goroutines and %d files; before, %d and %d", g, f, goroutines, files)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func noContainers(t *testing.T) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), soonEnough)
	defer cancel()
	listed, err := api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return err
	}
	for _, one := range listed {
		err = errors.Join(err, fmt.Errorf("container %s is left, %s", one.ID, one.Status))
	}
	return err
}

// noLeaves looks below the root of these tests' leaves in every hierarchy.
func noLeaves() error {
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range groups {
		left, err := filepath.Glob(filepath.Join(h.Folder(cgroupRoot), "*", "*"))
		if err != nil {
			return err
		}
		for _, leaf := range left {
			if st, err := os.Stat(leaf); err == nil && st.IsDir() {
				errs = append(errs, fmt.Errorf("cgroup %s is left", leaf))
			}
		}
	}
	return errors.Join(errs...)
}

// noNamespaces looks for mounted namespaces of containers. libnetwork removes the empty files that they were mounted on only once a
// minute, and keeps the mount of the engine's own namespace.
func noNamespaces() error {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(filepath.Join(docker.Dir, "exec", "netns")))
	if err != nil {
		return err
	}
	mounts = slices.DeleteFunc(mounts, func(m *mountinfo.Info) bool {
		return filepath.Base(m.Mountpoint) == "default" || m.FSType != "nsfs"
	})
	if len(mounts) > 0 {
		return fmt.Errorf("%d network namespaces are still mounted, %s among them", len(mounts), mounts[0].Mountpoint)
	}
	return nil
}

// removeCgroupRoot removes the folders that executors leave for each other; nothing may be in them.
func removeCgroupRoot() error {
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range groups {
		if err := os.Remove(h.Folder(cgroupRoot)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) - 1 // the one that is being read
}

// poll asks until there is no objection, and returns the last one when the time is up.
func poll(objection func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(soonEnough)
	for {
		err := objection()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("after %v: %w", soonEnough, err)
		}
	}
}
