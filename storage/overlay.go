package storage

import (
	"fmt"
	"strconv"
	"strings"
)

// judgeOverlay looks at what the drivers on top of the kernel's overlayfs need. The keys are those of overlay2 in
// Docker 20.10 to 28.5; containerd's snapshotter says nothing but its type.
func judgeOverlay(e Engine, v *Verdict) {
	name, backing := e.driver(), strings.ToLower(e.status("Backing Filesystem"))
	if strings.EqualFold(e.status("Supports d_type"), "false") {
		remedy := "move the engine's data root to ext4, or to xfs made with ftype=1"
		filesystem := strings.TrimSpace(backing + " filesystem")
		v.add(Refuse, fmt.Sprintf("the %s below the engine's data root has no d_type: on it, %s cannot hide files that an upper layer deleted", filesystem, name), remedy)
	}
	if name != "overlay" {
		judgeKernel(e, v)
	}
	if name == "overlayfs" && !e.containerd() {
		v.add(Warn, "the storage driver calls itself overlayfs, but does not say that it is containerd's", "see what docker info says of its driver-type")
	}
	if strings.EqualFold(e.status("Native Overlay Diff"), "false") {
		v.add(Warn, "overlay2 cannot use the kernel's own differences between layers (Native Overlay Diff: false), so whatever makes an image of a container is slow",
			"switch off the overlay module's redirect_dir and metacopy")
	}
	switch backing {
	case "", "extfs", "xfs":
	case "tmpfs":
		v.add(Warn, "the engine's data root is in memory (tmpfs)", "move it to a disk with ext4, or with xfs made with ftype=1")
	default:
		v.add(Warn, fmt.Sprintf("%s is on %s, which Docker does not support", name, backing), "move the engine's data root to ext4, or to xfs made with ftype=1")
	}
}

// judgeKernel refuses a kernel whose overlayfs takes one lower layer only. Several came with 4.0; Docker's documentation
// of overlay2 asks for that or for 3.10.0-514 of RHEL and CentOS, to which Red Hat has brought them.
func judgeKernel(e Engine, v *Verdict) {
	k, err := parseKernel(e.KernelVersion)
	switch {
	case err != nil:
		v.add(Warn, fmt.Sprintf("%v, so nobody knows whether it is new enough for %s", err, e.driver()), "see what docker info says")
	case !k.stacksLayers():
		v.add(Refuse, fmt.Sprintf("the kernel %s is too old for %s", e.KernelVersion, e.driver()), "upgrade it to 4.0 or newer, or to 3.10.0-514 or newer of RHEL or CentOS 7")
	}
}

// kernel is a version such as 3.10.0-514.el7.x86_64.
type kernel struct {
	major, minor int
	build        int  // the number after the dash, 0 if there is none
	el7          bool // of RHEL or CentOS 7
}

func parseKernel(version string) (kernel, error) {
	bad := fmt.Errorf("the kernel's version %q cannot be read", version)
	release, rest, _ := strings.Cut(version, "-")
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return kernel{}, bad
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(strings.TrimRight(parts[1], "+"))
	if err1 != nil || err2 != nil || major < 0 || minor < 0 {
		return kernel{}, bad
	}
	number, _, _ := strings.Cut(rest, ".")
	build, _ := strconv.Atoi(number) // of distributions; others have no number here
	return kernel{major: major, minor: minor, build: build, el7: strings.Contains(rest, ".el7")}, nil
}

func (k kernel) stacksLayers() bool {
	return k.major >= 4 || k.major == 3 && k.minor == 10 && k.el7 && k.build >= 514
}
