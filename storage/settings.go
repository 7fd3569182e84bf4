package storage

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Settings are what an operator can say of storage.
type Settings struct {
	Rules          Rules
	Thresholds     Thresholds
	ContainerdRoot string // absolute; default [ContainerdRoot]
}

// DefaultSettings are those of a host without a configuration.
func DefaultSettings() Settings {
	return Settings{Rules: DefaultRules(), Thresholds: DefaultThresholds(), ContainerdRoot: ContainerdRoot}
}

// Check returns all that is wrong with them.
func (s Settings) Check() error {
	err := errors.Join(s.Rules.Check(), s.Thresholds.Check())
	if !filepath.IsAbs(s.ContainerdRoot) {
		err = errors.Join(err, fmt.Errorf("the root of containerd is %q: it has to be an absolute path, such as %s", s.ContainerdRoot, ContainerdRoot))
	}
	return err
}
