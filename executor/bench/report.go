//go:build linux

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// figure is one measured figure.
type figure struct {
	Name     string   `json:"name"`
	Value    float64  `json:"value"`
	Unit     string   `json:"unit"`
	Goal     string   `json:"goal"` // "<= 1.1"
	OK       bool     `json:"ok"`
	Low      *float64 `json:"low,omitempty"` // of the 95 % interval, where there is one
	High     *float64 `json:"high,omitempty"`
	Samples  int      `json:"samples,omitempty"`
	Groups   int      `json:"groups,omitempty"` // the independent ones among the samples, or rounds of them
	Detail   string   `json:"detail,omitempty"`
	Stock    string   `json:"stock,omitempty"`
	HeldBack string   `json:"held_back_by,omitempty"` // only if short

	count string // samples and groups in words
}

// report prints figures as they come and keeps them.
type report struct {
	out     io.Writer
	figures []figure
	host    map[string]string
	broken  error // why out takes no more lines
}

func newReport(out io.Writer) *report {
	return &report{out: out, figures: []figure{}, host: map[string]string{}}
}

// add reports a figure. An estimate without samples is a count or a size: it has no interval.
func (r *report) add(name string, e estimate, detail string, args ...any) {
	g := goalOf(name)
	f := figure{
		Name: name, Value: e.value, Unit: g.unit, Goal: g.text(), OK: g.reached(e.value),
		Samples: e.samples, Groups: e.groups, Detail: fmt.Sprintf(detail, args...), Stock: g.stock,
	}
	if e.samples > 0 {
		f.count = e.count()
	}
	if e.sure() {
		f.Low, f.High = &e.low, &e.high
	}
	if !f.OK {
		f.HeldBack = g.heldBy
	}
	r.figures = append(r.figures, f)
	if _, err := fmt.Fprintln(r.out, f); err != nil {
		r.broken = err
	}
}

func (g goal) text() string {
	sign := "<="
	if g.atLeast {
		sign = ">="
	}
	return sign + " " + number(g.limit)
}

// String is the figure's line: columns of fixed width, then what may be long.
func (f figure) String() string {
	word := "short"
	if f.OK {
		word = "ok"
	}
	line := fmt.Sprintf("%-13s %9s %-12s %-7s %-5s", f.Name, number(f.Value), f.Unit, f.Goal, word)
	switch {
	case f.Low != nil:
		line += fmt.Sprintf("  95%%: %s..%s, %s", number(*f.Low), number(*f.High), f.count)
	case f.count != "":
		line += fmt.Sprintf("  %s, too few for an interval", f.count)
	}
	for _, more := range []struct{ before, text string }{{"", f.Detail}, {"stock: ", f.Stock}, {"held back by: ", f.HeldBack}} {
		if more.text != "" {
			line += "; " + more.before + more.text
		}
	}
	return strings.TrimRight(line, " ")
}

// number has three or four digits that mean something.
func number(v float64) string {
	switch {
	case v == float64(int64(v)) && v < 1e6:
		return strconv.FormatInt(int64(v), 10)
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}
