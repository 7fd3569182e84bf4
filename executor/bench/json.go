//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// jsonFile is where the figures go as JSON: a temporary file beside the target until [jsonFile.finish].
type jsonFile struct {
	target string
	temp   *os.File
}

// openJSON finds out, before ten minutes of measuring, whether the file can be written. What is there stays as it is until
// finish, which has to be called.
func openJSON(path string) (*jsonFile, error) {
	target, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		target = path
	case err != nil:
		return nil, fmt.Errorf("the file for JSON: %w", err)
	}
	switch info, err := os.Lstat(target); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("the file for JSON: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("the file for JSON: %s is not a regular file; name one, or one that is not there yet", path)
	}
	temp, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("the file for JSON: %w; name one in a folder that is there and writable", err)
	}
	return &jsonFile{target, temp}, nil
}

// finish puts the figures in the target's place, complete unless failed says what went wrong. Without any figure the target
// stays as it was.
func (f *jsonFile) finish(r *report, failed error) error {
	defer os.Remove(f.temp.Name()) // gone after the rename
	defer f.temp.Close()
	if len(r.figures) == 0 {
		return nil
	}
	text, err := r.json(failed)
	if err != nil {
		return err
	}
	if _, err := f.temp.Write(text); err != nil {
		return err
	}
	if err := errors.Join(f.temp.Chmod(0o644), f.temp.Close()); err != nil {
		return err
	}
	return os.Rename(f.temp.Name(), f.target)
}

// json is the report as a document.
func (r *report) json(failed error) ([]byte, error) {
	document := struct {
		Version  int               `json:"version"`
		Complete bool              `json:"complete"` // all that was asked for was measured, and nothing else failed
		Error    string            `json:"error,omitempty"`
		Host     map[string]string `json:"host"`
		Figures  []figure          `json:"figures"`
	}{Version: 1, Complete: failed == nil, Host: r.host, Figures: r.figures}
	if failed != nil {
		document.Error = failed.Error()
	}
	text, err := json.MarshalIndent(document, "", "  ")
	return append(text, '\n'), err
}
