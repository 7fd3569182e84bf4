//go:build !linux

package agenttls

import (
	"os"
	"path/filepath"
)

// openRegular is for systems where no executor runs: what it opened is looked at
// afterwards.
func openRegular(path string) (*os.File, string, error) {
	where, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, "", err
	}
	file, err := os.Open(where)
	return file, where, err
}
