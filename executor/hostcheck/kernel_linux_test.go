package hostcheck

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestInotifyInstancesAreCounted(t *testing.T) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if n := instancesOf("/proc/self"); n != 1 {
		t.Errorf("this process has %d", n)
	}
	if i := inotifyInstances("/proc"); i.InUse < 1 || i.Most < i.InUse || i.None {
		t.Errorf("%+v", i)
	}
	if n := instancesOf("/proc/0"); n != 0 {
		t.Errorf("nobody has %d", n)
	}
}
