package classes

import (
	"errors"
	"io/fs"

	"mesos-docker-executor/internal/rootfile"
)

// DefaultPath is where classes.yaml is looked for when no flag names another.
const DefaultPath = "/etc/mesos-docker-executor/classes.yaml"

// maxFileSize is the size of classes.yaml in bytes beyond which it is something else: some fifty thousand lines.
const maxFileSize = 2 << 20

// Load reads classes.yaml. path is [DefaultPath] unless a flag named another file (named). A file that is missing at its default path
// means that class IDs are off ([None]); a file that was named must be there, and its path must be absolute, because the
// executor's working folder is the task's sandbox.
//
// Firewalls go by what the file says, so it has to be a regular file of root's that neither group nor others may write to, and not a
// symbolic link. It is opened once, and what was opened is what is checked and read. The folders above are not checked, as those of
// policy.yaml are not: keep them root's too.
//
// The error is an [*Error] naming every problem; the caller starts no task then.
func Load(path string, named bool) (*Registry, error) {
	if err := rootfile.CheckPath(path); err != nil {
		return nil, fileError(path, "the path %v", err)
	}
	data, err := rootfile.Read(path, maxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return None(path), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fileError(path, "does not exist; create it, or leave the flag out for no class IDs")
	case err != nil:
		return nil, fileError(path, "%v", err)
	}
	return Parse(path, data)
}

func fileError(path, format string, args ...any) error {
	e := &Error{Source: path}
	e.Add(0, "", format, args...)
	return e
}
