package security

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// signalNames are Linux's (signal(7)), without SIG. Their numbers differ between architectures and do not matter here.
const signalNames = `ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS
	TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ`

// realTimeNames are how far from each end of the real-time signals the engine knows their names (moby/sys,
// signal/signal_linux.go), although C libraries count 34 to 64.
func realTimeNames() map[string]uint64 { return map[string]uint64{"RTMIN+": 15, "RTMAX-": 14} }

// CheckStopSignal checks a signal by which a container is asked to end: a name such as SIGTERM or TERM in any case, a
// real-time one such as SIGRTMIN+3 (to SIGRTMIN+15, from SIGRTMAX-14), or a number from 1 to 64. KILL and STOP ask for nothing. The error completes "it ...".
func CheckStopSignal(signal string) error {
	if number, err := strconv.ParseUint(signal, 10, 8); err == nil {
		if number < 1 || number > 64 {
			return fmt.Errorf("must be a name such as SIGTERM or a number from 1 to 64")
		}
		if number == 9 || number == 19 { // x86 and ARM
			return fmt.Errorf("cannot be caught; choose one that the program can act on, such as SIGTERM")
		}
		return nil
	}
	name := strings.TrimPrefix(strings.ToUpper(signal), "SIG")
	switch {
	case name == "KILL" || name == "STOP":
		return fmt.Errorf("cannot be caught; choose one that the program can act on, such as SIGTERM")
	case slices.Contains(strings.Fields(signalNames), name), name == "RTMIN", name == "RTMAX":
		return nil
	}
	for prefix, most := range realTimeNames() {
		rest, found := strings.CutPrefix(name, prefix)
		if !found {
			continue
		}
		if n, err := strconv.ParseUint(rest, 10, 8); err == nil && 1 <= n && n <= most && rest[0] != '0' {
			return nil
		}
		return fmt.Errorf("is not a name that the engine knows; write the signal's number, from 34 to 64")
	}
	return fmt.Errorf("must be a name such as SIGTERM or a number from 1 to 64")
}
