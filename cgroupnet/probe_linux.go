package cgroupnet

import (
	"errors"
	"slices"

	"github.com/containerd/cgroups/v3"
)

// Probe finds out what the host offers for network classes. It only reads. An error means that it could not find out.
func Probe() (Support, error) {
	s := Support{Mode: modeName(cgroups.Mode())}
	hs, err := Hierarchies()
	if err != nil {
		return s, err
	}
	s.Kernel = true
	if i := slices.IndexFunc(hs, func(h Hierarchy) bool { return !h.Unified && h.Has("net_cls") }); i >= 0 {
		s.NetCLS = &hs[i]
		return s, nil
	}
	s.Problem = &UnsupportedError{Kind: LackMount, Missing: "net_cls is mounted nowhere", Remedy: "mount it"}
	return s, nil
}

// Driver returns the driver for the host. The error is an [*UnsupportedError].
func (s Support) Driver() (Driver, error) {
	if err := s.problem(); err != nil {
		return nil, err
	}
	return newNetCLS(*s.NetCLS), nil
}

// problem is the error of a host without a usable hierarchy, nil of one with it.
func (s Support) problem() error {
	switch {
	case s.NetCLS != nil:
		return nil
	case s.Problem != nil:
		return s.Problem
	}
	return errors.New("the host's network classes were not probed")
}

func modeName(mode cgroups.CGMode) string {
	switch mode {
	case cgroups.Legacy:
		return "legacy"
	case cgroups.Hybrid:
		return "hybrid"
	case cgroups.Unified:
		return "unified"
	}
	return "unavailable"
}
