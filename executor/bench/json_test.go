//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type document struct {
	Version  int
	Complete bool
	Error    string
	Host     map[string]string
	Figures  []figure
}

func readJSON(t *testing.T, path string) (said document) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	return said
}

// finishJSON writes a report, beside which nothing may be left.
func finishJSON(t *testing.T, path string, r *report, failed error) {
	t.Helper()
	file, err := openJSON(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.finish(r, failed); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestJSONHoldsTheSame(t *testing.T) {
	r := newReport(&bytes.Buffer{})
	r.host["kernel"] = "6.18"
	r.add("exit", estimate{12, 11, 13, 50, 50}, "container's end")
	r.add("life_calls", estimate{value: 9}, "")
	r.add("burst", estimate{1.1, 1.05, 1.2, 60, 2}, "")
	path := filepath.Join(t.TempDir(), "figures.json")
	finishJSON(t, path, r, nil)
	said := readJSON(t, path)
	if said.Version != 1 || !said.Complete || said.Error != "" || said.Host["kernel"] != "6.18" || len(said.Figures) != 3 {
		t.Fatalf("%+v", said)
	}
	exit, calls, burst := said.Figures[0], said.Figures[1], said.Figures[2]
	if exit.OK || exit.Value != 12 || exit.Low == nil || *exit.Low != 11 || exit.Goal != "<= 10" {
		t.Errorf("%+v", exit)
	}
	if burst.Low != nil || burst.High != nil || burst.Samples != 60 || burst.Groups != 2 {
		t.Errorf("%+v", burst)
	}
	if !calls.OK || calls.Low != nil || calls.HeldBack != "" {
		t.Errorf("%+v", calls)
	}
}

func TestPartialFiguresSayWhy(t *testing.T) {
	r := newReport(&bytes.Buffer{})
	r.add("life_calls", estimate{value: 9}, "")
	path := filepath.Join(t.TempDir(), "figures.json")
	finishJSON(t, path, r, errors.New("logs: interrupted"))
	if said := readJSON(t, path); said.Complete || said.Error != "logs: interrupted" || len(said.Figures) != 1 {
		t.Errorf("%+v", said)
	}
}

func TestOldFiguresStayWhenNothingWasMeasured(t *testing.T) {
	path := filepath.Join(t.TempDir(), "figures.json")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	finishJSON(t, path, newReport(&bytes.Buffer{}), errors.New("no engine"))
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestFiguresGoWhereALinkPoints(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "figures.json"), filepath.Join(dir, "link.json")
	if err := errors.Join(os.WriteFile(path, []byte("old"), 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	r := newReport(&bytes.Buffer{})
	r.add("life_calls", estimate{value: 9}, "")
	finishJSON(t, link, r, nil)
	if said := readJSON(t, path); !said.Complete {
		t.Errorf("%+v", said)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
}

// Ten minutes of measuring are not for nothing: a path that cannot be written is told before.
func TestPathOfJSONIsCheckedBeforeMeasuring(t *testing.T) {
	dir := t.TempDir()
	for path, says := range map[string]string{
		filepath.Join(dir, "missing", "figures.json"): "name one in a folder that is there",
		dir:         "is not a regular file",
		"/dev/null": "is not a regular file",
	} {
		var out, errOut bytes.Buffer
		args := []string{"-only", "size", "-binary", os.Args[0], "-json", path}
		status := run(t.Context(), args, func(string) string { return "" }, &out, &errOut)
		if status != exitFailed || !strings.Contains(errOut.String(), says) || out.Len() > 0 {
			t.Errorf("%s: status %d, %s%s", path, status, errOut.String(), out.String())
		}
	}
}
