package process

import (
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// watchMade returns a channel on which something comes when a folder is made beside one
// of these, by inotify(7): the kernel tells of folders of cgroups as of others. It is nil
// when nothing will come: the parent of one is not there yet (a systemd slice), or
// the user's inotify instances are used up (fs.inotify.max_user_instances, 128 by default). It is
// closed when nothing will come any more. stop ends it and has to be called.
func watchMade(dirs []string) (made <-chan struct{}, stop func()) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, func() {}
	}
	events := os.NewFile(uintptr(fd), "inotify")
	for _, dir := range dirs {
		if _, err := unix.InotifyAddWatch(fd, filepath.Dir(dir), unix.IN_CREATE|unix.IN_ONLYDIR); err != nil {
			events.Close()
			return nil, func() {}
		}
	}
	news := make(chan struct{}, 1)
	var reading sync.WaitGroup
	reading.Go(func() { tell(events, news) })
	return news, func() {
		events.Close()
		reading.Wait()
	}
}

// tell puts something into news after each read, and closes it when a read fails: because stop
// closed the events, or because the kernel broke off.
func tell(events io.Reader, news chan<- struct{}) {
	defer close(news)
	// What the events say does not matter, nor when some are lost: the reader looks itself.
	buffer := make([]byte, 16*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		if _, err := events.Read(buffer); err != nil {
			return
		}
		select {
		case news <- struct{}{}:
		default:
		}
	}
}
