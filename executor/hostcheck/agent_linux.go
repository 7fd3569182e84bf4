package hostcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/regular"
)

// lookAtAgents finds the agents of the host by the names of their processes.
func lookAtAgents(proc string) Agents {
	folders, err := filepath.Glob(proc + "/[0-9]*")
	if err == nil && len(folders) == 0 {
		err = errors.New("there are no processes in " + proc)
	}
	found := Agents{Err: err}
	for _, folder := range folders {
		name, err := os.ReadFile(folder + "/comm")
		if err != nil || !isAgent(string(bytes.TrimSuffix(name, []byte("\n")))) {
			continue
		}
		if agent, ok := lookAtAgent(folder, strings.TrimPrefix(string(bytes.TrimSpace(name)), "lt-")); ok {
			found.Agents = append(found.Agents, agent)
		}
	}
	return found
}

// lookAtAgent reads the flags of a process of that name. Anybody can give a process the name, and the page is root's: what another user's
// says is not looked at.
func lookAtAgent(folder, name string) (agent Agent, ok bool) {
	pid, _ := strconv.Atoi(filepath.Base(folder)) // the pattern lets digits first only; 0 is shown as it is
	user, err := userOf(folder)
	if err != nil { // it has ended
		return Agent{}, false
	}
	if user != 0 {
		return Agent{PID: pid, Name: name, User: user}, true
	}
	words, err := nulTerminated(folder + "/cmdline")
	if err != nil || len(words) == 0 { // the same
		return Agent{}, false
	}
	environ, err := nulTerminated(folder + "/environ")
	if err != nil {
		environ = nil
	}
	root := filepath.Join(folder, "root")
	agent = NewAgent(pid, name, words[1:], environ, func(path string) (string, error) { return readBelow(root, path) })
	agent.Executor = installed(root, agent.LauncherDir())
	return agent, true
}

// userOf is a process's effective user id (proc_pid_status(5)). The owner of its folder is no proof: a process that is not dumpable, which
// anybody's can be, has a folder of root's.
func userOf(folder string) (int, error) {
	text, err := os.ReadFile(folder + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			if fields := strings.Fields(ids); len(fields) > 1 {
				return strconv.Atoi(fields[1])
			}
		}
	}
	return 0, errors.New("no Uid in " + folder + "/status")
}

// longestFlag is the most that is read of a file with a flag's value, in bytes.
const longestFlag = 4 << 10

// readBelow reads a small regular file as a process with another root folder sees it. A link that leads out of that, as an absolute one does,
// is not followed.
func readBelow(root, path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", errors.New("is no absolute path")
	}
	folder, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer folder.Close()
	path = strings.TrimLeft(path, "/")
	if info, err := folder.Stat(path); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() {
		return "", regular.ErrType
	}
	file, err := folder.OpenFile(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, longestFlag+1))
	if err == nil && len(text) > longestFlag {
		err = fmt.Errorf("has more than %d bytes", longestFlag)
	}
	return string(text), err
}

// isAgent knows the names of an agent's program, that of libtool included, which runs it out of a build folder.
func isAgent(name string) bool {
	return slices.Contains([]string{"mesos-agent", "mesos-slave"}, strings.TrimPrefix(name, "lt-"))
}

// nulTerminated reads proc_pid_cmdline(5) or proc_pid_environ(5); what is empty has no words, and is not nil.
func nulTerminated(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return []string{}, nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}

// installed looks at the Docker executor of an agent, whose root folder may be another one than ours. It compares what is there with the
// program that runs.
func installed(root, launcherDir string) Installed {
	if !filepath.IsAbs(launcherDir) {
		return NotLooked
	}
	path := filepath.Join(root, launcherDir, ExecutorName)
	theirs, err := regular.Open(unix.AT_FDCWD, path, unix.O_RDONLY, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Absent
	case err != nil:
		return NotLooked
	}
	defer theirs.Close()
	ours, err := os.Open("/proc/self/exe")
	if err != nil {
		return NotLooked
	}
	defer ours.Close()
	same, err := sameContent(ours, theirs)
	switch {
	case err != nil:
		return NotLooked
	case same:
		return ThisOne
	}
	return Another
}

// sameContent reads both files only as far as they are the same, and not at all if their sizes differ.
func sameContent(a, b *os.File) (bool, error) {
	infoA, err := a.Stat()
	if err != nil {
		return false, err
	}
	infoB, err := b.Stat()
	if err != nil {
		return false, err
	}
	if os.SameFile(infoA, infoB) {
		return true, nil
	}
	if infoA.Size() != infoB.Size() {
		return false, nil
	}
	partA, partB := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, partA)
		if _, errB := io.ReadFull(b, partB[:n]); errB != nil && n > 0 {
			return false, errB
		}
		if !bytes.Equal(partA[:n], partB[:n]) {
			return false, nil
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return true, nil
		case err != nil:
			return false, err
		}
	}
}
