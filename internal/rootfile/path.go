package rootfile

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"

	"mesos-docker-executor/internal/message"
)

// CheckPath says what is wrong with an absolute path of an operator's file. It must be in its shortest form, so that it has one
// spelling.
func CheckPath(p string) error {
	if err := CheckAbsolute(p); err != nil {
		return err
	}
	if path.Clean(p) != p {
		return fmt.Errorf("%s is not in its shortest form, which is %s", message.Quote(p), message.Quote(path.Clean(p)))
	}
	return nil
}

// CheckAbsolute says what is wrong with a path that may be in any form, but absolute.
func CheckAbsolute(p string) error {
	switch {
	case p == "":
		return errors.New("is empty; an absolute path is needed")
	case !strings.HasPrefix(p, "/"):
		return fmt.Errorf("%s is not an absolute path", message.Quote(p))
	case strings.ContainsFunc(p, unicode.IsControl):
		return fmt.Errorf("%s contains a control character", message.Quote(p))
	}
	return nil
}
