package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPlaceKeepsCountAndEnd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []byte
	var p place
	for range 300 {
		chunk := make([]byte, random.IntN(3)*random.IntN(3000)+random.IntN(5))
		for i := range chunk {
			chunk[i] = byte(random.Uint32())
		}
		p.add(chunk)
		all = append(all, chunk...)
		if want := all[max(0, len(all)-keptTail):]; p.count != int64(len(all)) || !bytes.Equal(p.end(), want) {
			t.Fatalf("after %d bytes: count %d, %d bytes of end", len(all), p.count, len(p.end()))
		}
	}
}

// lines returns the numbered lines from first to last.
func lines(first, last int) []string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprintf("line %d of the output\n", i))
	}
	return all
}

func ticks(n int) []string { return strings.SplitAfter(strings.Repeat("tick\n", n), "\n")[:n] }

func TestSurveyFindsThePlace(t *testing.T) {
	join := func(parts ...[]string) (all []string) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, tc := range []struct {
		name      string
		delivered []string
		log       []string
		rest      string // of the log, to be delivered
		how       finding
	}{
		{"nothing at all", nil, nil, "", placeFound},
		{"nothing delivered", nil, lines(1, 2), "line 1 of the output\nline 2 of the output\n", placeFound},
		{"all delivered", lines(1, 2), lines(1, 2), "", placeFound},
		{"short", lines(1, 3), lines(1, 4), "line 4 of the output\n", placeFound},
		{"long", lines(1, 5000), lines(1, 5001), "line 5001 of the output\n", placeFound},
		{"equal lines", ticks(5000), ticks(5002), "tick\ntick\n", placeFound},
		{"delivered within a line", append(lines(1, 5000), "line 5001 of t"), lines(1, 5001), "he output\n", placeFound},
		{"the log lacks the last pieces", lines(1, 5003), join(lines(1, 5000), lines(5010, 5010)), "line 5010 of the output\n", placeFound},
		{"the log lacks the last pieces and has no more", lines(1, 5003), lines(1, 5000), "", placeFound},
		{"a line begun before the daemon died", append(lines(1, 5000), "line 5001 of t"), append(lines(1, 5000), "he output\n"), "he output\n", placeFound},
		{"the only line begun before the daemon died", []string{"abc"}, []string{"def\n"}, "def\n", allNew},
		{"rotated", lines(1, 5000), lines(3000, 5001), "line 5001 of the output\n", placeFound},
		{"rotated within what is known", lines(1, 5000), lines(4950, 5001), "line 5001 of the output\n", placeFound},
		{"short, and rotated within", lines(1, 5), lines(5, 6), "line 6 of the output\n", placeFound},
		{"short lines, and rotated within", []string{"a\n", "b\n", "c\n"}, []string{"c\n", "d\n"}, "d\n", placeFound},
		{"rotated, and the last pieces are missing", lines(1, 5003), join(lines(3000, 5000), lines(5010, 5010)), "line 5010 of the output\n", placeFound},
		{"rotated within what is known, and the last pieces are missing", lines(1, 5003), join(lines(4950, 5000), lines(5010, 5010)), "line 5010 of the output\n", placeFound},
		{"rotated away", lines(1, 5000), lines(6000, 7000), "", noPlace},
		{"short, and rotated away", lines(1, 5), lines(6000, 6000), "line 6000 of the output\n", allNew},
		{"removed", lines(1, 5000), nil, "", noPlace},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p place
			p.add([]byte(strings.Join(tc.delivered, "")))
			s := newSurvey(&p)
			for _, piece := range tc.log {
				half := len(piece) / 2
				s.add([]byte(piece[:half]), false)
				s.add([]byte(piece[half:]), true)
			}
			repeats, how := s.found()
			if how != tc.how {
				t.Fatalf("finding %d, want %d", how, tc.how)
			}
			if how == noPlace {
				return
			}
			var rest bytes.Buffer
			to := &sink{to: &rest, known: repeats}
			for _, piece := range tc.log {
				to.write([]byte(piece))
			}
			if rest.String() != tc.rest || to.moved() != nil {
				t.Errorf("delivered %q, want %q, %v", rest.String(), tc.rest, to.moved())
			}
		})
	}
}

func TestLogThatMovedIsNotDelivered(t *testing.T) {
	var p place
	p.add([]byte(strings.Join(lines(1, 500), "")))
	s := newSurvey(&p)
	for _, piece := range lines(1, 510) {
		s.add([]byte(piece), true)
	}
	repeats, _ := s.found()
	var rest bytes.Buffer
	to := &sink{to: &rest, known: repeats}
	for _, piece := range lines(100, 1000) {
		to.write([]byte(piece))
	}
	if rest.Len() > 0 || to.moved() == nil {
		t.Errorf("%q, %v", rest.String(), to.moved())
	}
}
