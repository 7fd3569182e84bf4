//go:build acceptance

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// result is one line of the table.
type result struct {
	Mode   string        // empty for checks of the whole run
	Check  string        // its name
	Passed bool          //
	Took   time.Duration // from waiting for an offer to the verdict
	Task   string        // task id, empty when none was launched
	Detail string        // one line: what happened
	Wrong  []string      // what deviates, and where to look; empty when passed
}

func (r result) word() string {
	if r.Passed {
		return "ok"
	}
	return "FAILED"
}

// report prints results as they come, as a table or as JSON lines, and counts.
type report struct {
	out            io.Writer
	json           bool
	began          time.Time
	ok, failed     int
	headingPrinted bool
}

func newReport(out io.Writer, asJSON bool) *report {
	return &report{out: out, json: asJSON, began: time.Now()}
}

// passed says whether there were checks and all of them passed.
func (r *report) passed() bool { return r.ok > 0 && r.failed == 0 }

// Columns of the table: mode, check, result, seconds, detail.
const (
	columns  = "%-8s  %-34s  %-6s  %7s  %s\n"
	indented = "          - %s\n"
)

func (r *report) add(res result) {
	if res.Passed {
		r.ok++
	} else {
		r.failed++
	}
	if r.json {
		r.line(jsonResult{res.Mode, res.Check, res.Passed, res.Took.Seconds(), res.Task, res.Detail, res.Wrong})
		return
	}
	if !r.headingPrinted {
		r.headingPrinted = true
		fmt.Fprintf(r.out, columns, "MODE", "CHECK", "RESULT", "SECONDS", "DETAIL")
	}
	mode := res.Mode
	if mode == "" {
		mode = "-"
	}
	fmt.Fprintf(r.out, columns, mode, res.Check, res.word(), fmt.Sprintf("%.2f", res.Took.Seconds()), oneLine(res.Detail))
	for _, w := range res.Wrong {
		fmt.Fprintf(r.out, indented, oneLine(w))
	}
}

// close prints the sum.
func (r *report) close() {
	took := time.Since(r.began)
	if r.json {
		r.line(jsonSum{r.passed(), r.ok, r.failed, took.Seconds()})
		return
	}
	word := "PASSED"
	if !r.passed() {
		word = "FAILED"
	}
	fmt.Fprintf(r.out, "%s: %d of %d checks in %.1f s\n", word, r.ok, r.ok+r.failed, took.Seconds())
}

type jsonResult struct {
	Mode    string   `json:"mode,omitempty"`
	Check   string   `json:"check"`
	Passed  bool     `json:"passed"`
	Seconds float64  `json:"seconds"`
	Task    string   `json:"task,omitempty"`
	Detail  string   `json:"detail"`
	Wrong   []string `json:"wrong,omitempty"`
}

type jsonSum struct {
	Passed  bool    `json:"passed"`
	OK      int     `json:"ok"`
	Failed  int     `json:"failed"`
	Seconds float64 `json:"seconds"`
}

func (r *report) line(v any) {
	encoder := json.NewEncoder(r.out)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v)
}

// oneLine keeps a foreign message from breaking the table, or the terminal.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
