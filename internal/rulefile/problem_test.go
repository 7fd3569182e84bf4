package rulefile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestProblemsAreListedInTheOrderOfLines(t *testing.T) {
	e := &Error{Source: "p.yaml"}
	if err := e.OrNil(); err != nil {
		t.Errorf("no problem: %v", err)
	}
	e.Add(7, "", "b")
	e.Add(2, "a.b", "has %d", 3)
	e.Add(7, "", "c")
	e.Add(0, "", "is too large")
	err := e.OrNil()
	if as := (*Error)(nil); !errors.As(err, &as) || err.Error() != "p.yaml: is too large\np.yaml:2: a.b: has 3\np.yaml:7: b\np.yaml:7: c" {
		t.Errorf("%v", err)
	}
}

func TestProblemsAreBoundedInNumberAndText(t *testing.T) {
	e := &Error{Source: "p.yaml"}
	for i := range 3000 {
		if e.IsFull() != (i >= enough) {
			t.Fatalf("%d: full is %v", i, e.IsFull())
		}
		e.Add(i+1, "", "x")
	}
	lines := strings.Split(e.Error(), "\n")
	if len(e.Problems) != enough || len(lines) != MaxShown+1 || lines[MaxShown] != fmt.Sprintf("p.yaml: and at least %d more problems", enough-MaxShown) {
		t.Errorf("%d problems, %d lines, %s", len(e.Problems), len(lines), lines[len(lines)-1])
	}
}
