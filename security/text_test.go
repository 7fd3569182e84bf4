package security

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// TestNoValueForgesALine puts line breaks and long text wherever a task has a free choice.
func TestNoValueForgesALine(t *testing.T) {
	evil := "x\nallow: everything\x1b[2K\u2028" + strings.Repeat("y", 5000)
	d := reviewOf(func(s *Spec) {
		s.Config.Hostname, s.Config.User, s.Config.WorkingDir = evil, evil, evil
		s.Config.Labels = map[string]string{evil: evil, ReservedLabelPrefix + evil: evil}
		s.Config.Env = []string{evil}
		s.Host.CapAdd = []string{evil}
		s.Host.Mounts = append(s.Host.Mounts, mount.Mount{Type: mount.TypeBind, Source: "/" + evil, Target: "/" + evil})
		s.Host.Ulimits = []*container.Ulimit{{Name: evil}}
		s.Host.NetworkMode, s.Host.IpcMode = container.NetworkMode(evil), container.IpcMode(evil)
		s.Host.Sysctls = map[string]string{evil: evil}
		s.Host.LogConfig.Type = evil
		s.Origins = Origins{"Host.CapAdd[" + evil + "]": evil, "Host.Mounts[/" + evil + "]": evil}
	})
	if len(d.Rejections()) < 10 {
		t.Errorf("only %d rejections", len(d.Rejections()))
	}
	for _, f := range d.Findings {
		for name, text := range map[string]string{"field": f.Field, "value": f.Value, "origin": f.Origin, "message": f.Message} {
			if strings.ContainsAny(text, "\n\x1b\u2028") || len(text) > 2000 || !utf8.ValidString(text) {
				t.Errorf("%s: %s is %q", f.Rule, name, text)
			}
		}
	}
}

func TestManyMountsAreReviewedInOnePass(t *testing.T) {
	const count = 30_000 // comparing each target with all before it would take seconds
	d := reviewOf(func(s *Spec) {
		for i := range count {
			m := mount.Mount{Type: mount.TypeBind, Source: "/lease/1", Target: fmt.Sprintf("/%0100d", i)}
			s.Host.Mounts = append(s.Host.Mounts, m)
		}
	})
	if got := len(d.Spec.Host.Mounts); got != count+1 {
		t.Errorf("%d mounts", got)
	}
}
