package hostcheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecordOfImageUse(t *testing.T) {
	in := func(name string, make func(folder string) error) string {
		folder := filepath.Join(t.TempDir(), name)
		if err := make(folder); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	record := func(version string, uid int) func(string) error {
		return func(folder string) error {
			if err := os.Mkdir(folder, 0o700); err != nil {
				return err
			}
			for name, text := range map[string]string{"version": version, strings.Repeat("a", 64): ""} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
					return err
				}
			}
			return os.Chown(folder, uid, 0)
		}
	}
	for folder, want := range map[string]string{
		in("none", func(string) error { return nil }):                                 "ok record: no use of an image in ",
		in("ours", record("1\n", 0)):                                                  "ok record: last use of 1 image in ",
		in("newer", record("99\n", 0)):                                                "warn record: record of image use: ",
		in("alien", record("1\n", 65534)):                                             "belongs to user 65534",
		in("file", func(path string) error { return os.WriteFile(path, nil, 0o600) }): "so no use is written down, and gc removes no image",
	} {
		line := lookAtRecord(folder).Line()
		if said := line.Status.String() + " " + line.Name + ": " + line.Text; !strings.Contains(said, want) || (line.Status != OK) != (line.Remedy != "") {
			t.Errorf("%s\n-> %s\nwant %s", said, line.Remedy, want)
		}
	}
	if line := (Record{Err: os.ErrPermission}).Line(); line.Status != Warn || line.Remedy != "run doctor as root" {
		t.Errorf("%+v", line)
	}
}

func TestRemedyOfWhatOnlyRootCanRead(t *testing.T) {
	foreign := errors.New("folder /run/x belongs to user 7")
	for _, c := range []struct {
		line   Line
		asRoot bool
	}{
		{Claims{Err: fmt.Errorf("list: %w", os.ErrPermission)}.Line(), false},
		{Claims{Err: foreign}.Line(), true},
	} {
		if c.line.Status != Warn || (c.line.Remedy == "run doctor as root") == c.asRoot || strings.Contains(c.line.Remedy, "mode 0700") != c.asRoot {
			t.Errorf("%+v", c.line)
		}
	}
}
