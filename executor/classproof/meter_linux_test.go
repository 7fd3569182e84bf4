package classproof

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// meter counts the SYNs of one network namespace. It holds the namespace open, so that it can be read after the container's end.
type meter struct {
	name      string
	namespace *os.File
	before    sent // what the kernel had counted when the meter's part began
}

// reading is what the three witnesses say.
type reading struct {
	nft, iptables counts
	kernel        sent
}

// newMeter loads the counters into a namespace, which is the meter's from now on. A namespace that these tests saw being made has sent
// nothing before; one that is older says itself what it has.
func newMeter(name string, namespace *os.File, older bool) (*meter, error) {
	m := &meter{name: name, namespace: namespace}
	err := inNamespace(namespace, func() (err error) {
		if older {
			if m.before, err = readKernel(); err != nil {
				return err
			}
		}
		return loadCounters()
	})
	if err != nil {
		namespace.Close()
		return nil, fmt.Errorf("counters in network namespace %s: %w", name, err)
	}
	return m, nil
}

// meterOfHost counts in the engine's own namespace, which is the host network of its containers, until the test ends.
func meterOfHost(t *testing.T) *meter {
	t.Helper()
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", docker.PID))
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMeter("of the engine", namespace, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(inNamespace(m.namespace, removeCounters), m.namespace.Close()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *meter) read() (r reading, err error) {
	err = inNamespace(m.namespace, func() (err error) {
		if r.nft, err = readNFT(); err != nil {
			return err
		}
		if r.iptables, err = readIptables(); err != nil {
			return err
		}
		r.kernel, err = readKernel()
		r.kernel.first -= m.before.first
		r.kernel.again -= m.before.again
		return err
	})
	if err != nil {
		return reading{}, fmt.Errorf("read the counters of network namespace %s: %w", m.name, err)
	}
	return r, nil
}

// agree reports in what the witnesses contradict each other.
func (r reading) agree() error {
	var errs []error
	if r.nft != r.iptables {
		errs = append(errs, fmt.Errorf("nft counted %+v SYNs and iptables %+v", r.nft, r.iptables))
	}
	if all := r.kernel.first + r.kernel.again; r.nft.all != all {
		errs = append(errs, fmt.Errorf("of %d SYNs that the kernel sent %d were counted", all, r.nft.all))
	}
	if r.nft.all != r.nft.zero+r.nft.own+r.nft.other {
		errs = append(errs, fmt.Errorf("%+v: not all SYNs have a class", r.nft))
	}
	return errors.Join(errs...)
}

// check reports in what the witnesses contradict each other, or the number of connects that the test has caused. A SYN that
// was sent again is as good as any other.
func (r reading) check(connects counts) error {
	if err := r.agree(); err != nil {
		return err
	}
	fits := func(got, want int) bool { return got == want || want > 0 && got > want && got <= want+r.kernel.again }
	if r.kernel.first != connects.all || !fits(r.nft.zero, connects.zero) || !fits(r.nft.own, connects.own) || !fits(r.nft.other, connects.other) {
		return fmt.Errorf("%+v SYNs, %d of them sent again; want %+v", r.nft, r.kernel.again, connects)
	}
	return nil
}

// checkMeter reads the counters and compares them with the connects that the test has caused.
func checkMeter(t *testing.T, m *meter, connects counts) {
	t.Helper()
	r, err := m.read()
	if err == nil {
		err = r.check(connects)
	}
	if err != nil {
		t.Errorf("network namespace %s: %v", m.name, err)
	}
}

// checkMeters is checkMeter for the namespaces of so many starts, each with the same connects.
func checkMeters(t *testing.T, meters []*meter, starts int, connects counts) {
	t.Helper()
	if len(meters) != starts {
		t.Errorf("%d network namespaces in %d starts", len(meters), starts)
	}
	for _, m := range meters {
		checkMeter(t, m, connects)
	}
}

// inNamespace calls f on a thread in the network namespace. The thread is never unlocked, so it ends with the goroutine; the first thread
// of a process cannot end, and would hold the namespace if it did not go back.
func inNamespace(namespace *os.File, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- func() error {
			home, err := os.Open("/proc/thread-self/ns/net")
			if err != nil {
				return err
			}
			defer home.Close()
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter network namespace: %w", err)
			}
			return errors.Join(f(), unix.Setns(int(home.Fd()), unix.CLONE_NEWNET))
		}()
	}()
	return <-done
}
