package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Chaos on a small disk: what the engine fails at with "no space left on device" is known before it is asked.
func TestFullDiskAndUsedUpInodesAreNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		options string
		fill    func(t *testing.T, root string)
		want    string
	}{
		"full disk": {"size=64m,nr_inodes=100k", func(t *testing.T, root string) {
			must(t, os.WriteFile(filepath.Join(root, "filler"), make([]byte, 60<<20), 0o600))
		}, "4MiB of 64MiB free (6 %), and 6.4MiB have to be (10 %)"},
		"no inodes, bytes free": {"size=64m,nr_inodes=900", func(t *testing.T, root string) {
			for i := range 870 {
				must(t, os.WriteFile(filepath.Join(root, "filler"+string(rune('\u4e00'+i))), nil, 0o600))
			}
		}, "29 of 900 inodes free (3 %), and 45 have to be (5 %)"},
	} {
		root := tmpfs(t, c.options)
		e := answers(t)["recorded/overlay2-ext4"]
		e.DockerRootDir = root
		s := DefaultSettings()
		s.Thresholds.MinBytes, s.Thresholds.MinInodes = 0, 0 // of a disk of 64 MiB
		var l Looker
		if v, rooms, err := s.Admit(t.Context(), &l, e, "", Need{}); err != nil || v.Decision() != Allow || len(rooms) != 1 {
			t.Fatalf("%s: with an empty disk: %+v, %v, %v", name, v, rooms, err)
		}
		c.fill(t, root)
		v, _, err := s.Admit(t.Context(), &l, e, "", Need{})
		if err != nil || v.Decision() != Refuse || !strings.Contains(v.Reasons(Refuse), c.want) || !strings.Contains(v.Reasons(Refuse), root) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func TestAdmitTellsOfTheDriverAndOfTheDisk(t *testing.T) {
	e := answers(t)["recorded/vfs-ext4"]
	e.DockerRootDir = tmpfs(t, "size=1m")
	var l Looker
	v, _, err := DefaultSettings().Admit(t.Context(), &l, e, "", Need{})
	if err != nil {
		t.Fatal(err)
	}
	checkVerdict(t, "vfs on a tiny disk", v, Refuse, "storage driver vfs", "1MiB of 1MiB free")
}

func TestAdmitWithoutAnAnswerOrTime(t *testing.T) {
	var l Looker
	var bad *BadAnswerError
	if v, _, err := DefaultSettings().Admit(t.Context(), &l, Engine{}, "", Need{}); !errors.As(err, &bad) || len(v.Findings) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if v, _, err := DefaultSettings().Admit(ctx, &l, answers(t)["recorded/overlay2-ext4"], "", Need{}); !errors.Is(err, enough) || len(v.Findings) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	if err := DefaultSettings().Check(); err != nil {
		t.Error(err)
	}
	bad := Settings{Rules: Rules{Allowed: []string{""}}, Thresholds: Thresholds{MinBytesPercent: 91}, ContainerdRoot: "containerd"}
	if err := bad.Check(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all that is wrong is named: %v", err)
	}
}
