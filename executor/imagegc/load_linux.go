package imagegc

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Load is up to which load of the host images are removed. 0 is no limit.
type Load struct {
	Average  int // of runnable and waiting processes over one minute per CPU, in percent: 200 are two for each
	Pressure int // time of the last 10 s in which processes waited for disks, in percent
}

// Exceeded says by what the host is loaded, "" if it is not. It reads /proc/loadavg (proc(5)) and /proc/pressure/io (Linux 4.20, Documentation/accounting/psi.rst),
// which some kernels do not have: what is not there is no load.
func (l Load) Exceeded() string {
	average, _ := os.ReadFile("/proc/loadavg")
	pressure, _ := os.ReadFile("/proc/pressure/io")
	return l.exceeded(string(average), string(pressure), runtime.NumCPU())
}

func (l Load) exceeded(average, pressure string, cpus int) string {
	first, _, _ := strings.Cut(average, " ")
	if load, err := strconv.ParseFloat(first, 64); err == nil && l.Average > 0 && load*100 > float64(l.Average*cpus) {
		return fmt.Sprintf("the host is loaded: a load average of %s with %d CPUs, and gc.max_load is %d %% of them", first, cpus, l.Average)
	}
	for line := range strings.Lines(pressure) {
		kind, rest, _ := strings.Cut(line, " ")
		value, _, _ := strings.Cut(strings.TrimPrefix(rest, "avg10="), " ")
		if waited, err := strconv.ParseFloat(value, 64); kind == "some" && err == nil && l.Pressure > 0 && waited > float64(l.Pressure) {
			return fmt.Sprintf("the host is loaded: processes wait for disks %s %% of the time, and gc.max_io_pressure is %d", value, l.Pressure)
		}
	}
	return ""
}
