package hostcheck

import (
	"errors"
	"fmt"
	"io/fs"
)

// Record is the record of image use, without which gc removes no image.
type Record struct {
	Folder string
	Images int // of which it knows the last use
	Err    error
}

// Line says whether executors and gc can use it. Tasks run without it, until the disk is full.
func (r Record) Line() Line {
	l := lines{subject: "storage"}
	const name = "record"
	switch {
	case errors.Is(r.Err, fs.ErrPermission):
		l.warn(name, fmt.Sprintf("not known: %v", r.Err), "run doctor as root")
	case r.Err != nil:
		l.warn(name, fmt.Sprintf("%v; so no use is written down, and gc removes no image", r.Err), "do as it says, before the disk is full")
	case r.Images == 0:
		l.ok(name, fmt.Sprintf("no use of an image in %s yet", r.Folder))
	default:
		l.ok(name, fmt.Sprintf("last use of %s in %s", counted(r.Images, "image"), r.Folder))
	}
	return l.all[0]
}
