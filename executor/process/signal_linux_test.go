package process

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestSignalNumber(t *testing.T) {
	for name, want := range map[string]unix.Signal{
		"SIGTERM": 15, "TERM": 15, "term": 15, "sigterm": 15, "15": 15,
		"KILL": 9, "9": 9, "SIGUSR1": 10, "SIGCLD": 17, "IOT": 6, "SIGPOLL": 29,
		"SIGRTMIN": 34, "RTMIN": 34, "SIGRTMIN+3": 37, "SIGRTMIN+30": 64,
		"SIGRTMAX": 64, "SIGRTMAX-14": 50, "rtmax-30": 34, "64": 64, "1": 1,
	} {
		if got, ok := SignalNumber(name); !ok || got != want {
			t.Errorf("%q: got %d, %v; want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{
		"", "0", "65", "-1", "+9", "256", "SIG", "SIGNOPE", "SIGSIGTERM", " TERM",
		"SIGRTMIN-1", "SIGRTMIN+31", "SIGRTMAX+1", "SIGRTMAX-31", "SIGRTMIN+", "SIGRTMINx", "SIGRTMIN+-1", "SIGRTMIN++1",
	} {
		if got, ok := SignalNumber(name); ok {
			t.Errorf("%q: got %d", name, got)
		}
	}
}

func TestSignalNameIsReadBack(t *testing.T) {
	for n := unix.Signal(1); n <= 64; n++ {
		name := SignalName(n)
		if n == 32 || n == 33 {
			continue // kept by the C library, no name
		}
		if got, ok := SignalNumber(name); !ok || got != n {
			t.Errorf("%d is %q is %d, %v", n, name, got, ok)
		}
	}
	for sig, want := range map[unix.Signal]string{9: "SIGKILL", 34: "SIGRTMIN", 37: "SIGRTMIN+3", 64: "SIGRTMIN+30", 32: "signal 32", 0: "signal 0", 99: "signal 99"} {
		if got := SignalName(sig); got != want {
			t.Errorf("%d: got %q, want %q", sig, got, want)
		}
	}
}
