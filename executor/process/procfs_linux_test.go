package process

import (
	"os"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	numbers := make([]string, 50) // fields 3 to 52
	for i := range numbers {
		numbers[i] = "0"
	}
	numbers[0], numbers[22-3], numbers[52-3] = "Z", "18446744073709551615", "2304"
	rest := " " + strings.Join(numbers, " ") + "\n"
	for _, comm := range []string{"sleep", "", "a) Z 1 (b", "x\ny", "((("} {
		got, err := parseStat("42 (" + comm + ")" + rest)
		want := stat{comm: comm, state: "Z", startTime: 1<<64 - 1, exitCode: 2304}
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v", comm, got, err)
		}
	}
	for _, bad := range []string{"", "42 sleep S 1", ")(", "42 (sleep) S 1 2\n", strings.Replace("42 (a)"+rest, "18446744073709551615", "x", 1)} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q: got %+v", bad, got)
		}
	}
}

func TestNamespaceIDsOfThisProcess(t *testing.T) {
	ids, err := namespaceIDs(os.Getpid())
	if err != nil || len(ids) == 0 || ids[0] != os.Getpid() {
		t.Errorf("got %v, %v; want %d first", ids, err, os.Getpid())
	}
	if _, err := namespaceIDs(1<<22 + 1); !gone(err) {
		t.Errorf("no such process: %v", err)
	}
}
