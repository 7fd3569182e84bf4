package process

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The real-time signals as glibc numbers them: the kernel's first two, 32 and 33, are
// used by its threads (signal(7)). Docker has the same.
const (
	sigRTMin = unix.Signal(34)
	sigRTMax = unix.Signal(64)
)

// SignalNumber understands what Docker and images write for a signal, in any case: "SIGTERM",
// "TERM", "15", "SIGRTMIN+3", "RTMAX-1". ok is false for anything else; 0 is no
// signal.
func SignalNumber(name string) (sig unix.Signal, ok bool) {
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		return unix.Signal(n), n >= 1 && n <= uint64(sigRTMax)
	}
	name = "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	switch name {
	case "SIGCLD":
		return unix.SIGCHLD, true
	case "SIGIOT":
		return unix.SIGABRT, true
	case "SIGPOLL":
		return unix.SIGIO, true
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, true
	}
	if rest, found := strings.CutPrefix(name, "SIGRTMIN"); found {
		n, ok := offset(rest, '+')
		return sigRTMin + n, ok
	}
	if rest, found := strings.CutPrefix(name, "SIGRTMAX"); found {
		n, ok := offset(rest, '-')
		return sigRTMax - n, ok
	}
	return 0, false
}

// offset reads "" as 0 and "+3" as 3, with the sign that is allowed.
func offset(s string, sign byte) (unix.Signal, bool) {
	if s == "" {
		return 0, true
	}
	if s[0] != sign {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:], 10, 8)
	if err != nil || n > uint64(sigRTMax-sigRTMin) {
		return 0, false
	}
	return unix.Signal(n), true
}

// SignalName returns "SIGTERM", "SIGRTMIN+3", or "signal 99" for a number without a
// name.
func SignalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	switch {
	case sig == sigRTMin:
		return "SIGRTMIN"
	case sig > sigRTMin && sig <= sigRTMax:
		return fmt.Sprintf("SIGRTMIN+%d", sig-sigRTMin)
	default:
		return fmt.Sprintf("signal %d", int(sig))
	}
}
