package policyfile

import (
	"errors"
	"io/fs"
	"time"

	"mesos-docker-executor/internal/rootfile"
)

// DefaultPath is where policy.yaml is looked for when no flag names another.
const DefaultPath = "/etc/mesos-docker-executor/policy.yaml"

// maxFileSize is the size of policy.yaml in bytes beyond which it is something else: some five thousand lines.
const maxFileSize = 256 << 10

// Load reads policy.yaml. path is [DefaultPath] unless a flag named another file (named). A file that is missing at its default path
// means [BuiltIn]; a file that was named must be there, and its path must be absolute, because the executor's working folder is
// the task's sandbox. now decides which entries of break_glass are in force.
//
// The file decides what may become root on the host, so it has to be a regular file of root's that neither group nor others may
// write to, and not a symbolic link; the same holds for each seccomp profile that it names. Each is opened once, and what was
// opened is what is checked and read. The folders above are not checked, as those of config.yaml are not: keep them root's too.
//
// The error is an [*Error] naming every problem; the caller starts no task then.
func Load(path string, named bool, now time.Time) (*File, error) {
	if err := rootfile.CheckPath(path); err != nil {
		return nil, fileError(path, "the path %v", err)
	}
	data, err := rootfile.Read(path, maxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return BuiltIn(), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fileError(path,
			"does not exist; create it (`mesos-docker-executor policy default` prints one), or leave the flag out for the built-in policy")
	case err != nil:
		return nil, fileError(path, "%v", err)
	}
	return ParseWith(path, data, now, func(profile string) ([]byte, error) {
		data, err := rootfile.Read(profile, maxProfileSize)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("does not exist; create it, or remove the profile")
		}
		return data, err
	})
}

func fileError(path, format string, args ...any) error {
	e := &Error{Source: path}
	e.Add(0, "", format, args...)
	return e
}
