package storage

import (
	"fmt"
	"strings"
)

// Decision is what is to be done with a new container. The zero value is Allow.
type Decision uint8

// The decisions, from the mildest on.
const (
	Allow  Decision = iota
	Warn            // start it and tell the operator
	Refuse          // do not start it
)

func (d Decision) String() string {
	switch d {
	case Allow:
		return "allow"
	case Warn:
		return "warn"
	case Refuse:
		return "refuse"
	}
	return fmt.Sprintf("decision %d", uint8(d))
}

// Finding is one thing that speaks against a new container.
type Finding struct {
	Decision Decision // Warn or Refuse
	Reason   string   // one line, with figures
	Remedy   string   // what the operator can change, one line
}

func (f Finding) String() string { return f.Reason + "; " + f.Remedy }

// Verdict is all that was found. The zero value has nothing against a new container.
type Verdict struct {
	Findings []Finding // the refusals first
}

// Decision is that of the gravest finding, [Allow] if there is none.
func (v Verdict) Decision() Decision {
	worst := Allow
	for _, f := range v.Findings {
		worst = max(worst, f.Decision)
	}
	return worst
}

// Reasons returns the findings of this decision as one line, "" if there are none.
func (v Verdict) Reasons(d Decision) string {
	var lines []string
	for _, f := range v.Findings {
		if f.Decision == d {
			lines = append(lines, f.String())
		}
	}
	return strings.Join(lines, ". ")
}

// Add adds what another question has found.
func (v *Verdict) Add(other Verdict) {
	for _, f := range other.Findings {
		v.add(f.Decision, f.Reason, f.Remedy)
	}
}

// add puts a finding where it belongs.
func (v *Verdict) add(d Decision, reason, remedy string) {
	at := len(v.Findings)
	for at > 0 && v.Findings[at-1].Decision < d {
		at--
	}
	v.Findings = append(v.Findings, Finding{})
	copy(v.Findings[at+1:], v.Findings[at:])
	v.Findings[at] = Finding{Decision: d, Reason: reason, Remedy: remedy}
}
