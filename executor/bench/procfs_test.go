//go:build linux

package main

import (
	"os"
	"testing"
)

const status = `Name:	mesos-docker-ex
VmRSS:	   17404 kB
RssAnon:	    3900 kB
voluntary_ctxt_switches:	12
nonvoluntary_ctxt_switches:	99
`

const rollup = `00400000-7ffd000 ---p 00000000 00:00 0                  [rollup]
Rss:               17404 kB
Pss:                4831 kB
Pss_Dirty:          3900 kB
`

func TestLinesAreFoundByTheirWholeKey(t *testing.T) {
	for _, test := range []struct {
		text, key string
		want      float64
	}{
		{status, "VmRSS", 17404},
		{status, "RssAnon", 3900},
		{status, "voluntary_ctxt_switches", 12},
		{rollup, "Pss", 4831},
	} {
		if got, err := keyed(test.key)(test.text); err != nil || got != test.want {
			t.Errorf("%s = %v, %v, want %v", test.key, got, err, test.want)
		}
	}
	for _, text := range []string{"", "VmRSS", "VmRSS:\n", "VmRSS: many kB\n", "VmRSSx: 1 kB\n"} {
		if got, err := keyed("VmRSS")(text); err == nil {
			t.Errorf("%q gave %v", text, got)
		}
	}
}

func TestSchedstatIsNanosecondsOnACPU(t *testing.T) {
	if got, err := parseSchedstat("1500000000 42 7\n"); err != nil || got != 1.5 {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "1 2", "1 2 3 4", "x 2 3"} {
		if got, err := parseSchedstat(text); err == nil {
			t.Errorf("%q gave %v", text, got)
		}
	}
}

func TestTheOwnProcessCanBeRead(t *testing.T) {
	if a, err := activityOf(os.Getpid()); err != nil || a.cpu <= 0 {
		t.Errorf("%+v, %v", a, err)
	}
	if m, err := memoryOf(os.Getpid()); err != nil || m.rss <= m.anon || m.pss <= 0 {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := activityOf(1 << 30); err == nil {
		t.Error("a process that does not exist was read")
	}
}
