package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
)

// lines returns n of them, numbered, of a width.
func lines(n, width int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%0*d", width, i))
	}
	return list
}

func TestSinkRemembersTheLastLines(t *testing.T) {
	long := strings.Repeat("x", 2*tailBytes)
	for name, tc := range map[string]struct {
		said string
		want []string
	}{
		"nothing":              {"", nil},
		"only a line's end":    {"\n", nil},
		"one line":             {"hello\n", []string{"hello"}},
		"a line without end":   {"hello\nwor", []string{"hello", "wor"}},
		"empty lines":          {"a\n\nb\n\n", []string{"a", "", "b", ""}},
		"of a terminal":        {"a\r\nb\r\n", []string{"a", "b"}},
		"many lines":           {strings.Join(lines(5000, 8), "\n") + "\n", lines(5000, 8)[4990:]},
		"just all that fits":   {long[:tailBytes], []string{long[:lineBytes-3] + "..."}},
		"a long line":          {long, []string{"..." + long[:lineBytes-6] + "..."}},
		"the end of a long":    {long + "\nend", []string{"..." + long[:lineBytes-6] + "...", "end"}},
		"what acts on screens": {"\x1b[31mred\x00\xff\tend\u202e", []string{`\x1b[31mred\x00\xff end\u202e`}},
		"cut within a letter":  {strings.Repeat("é", lineBytes), []string{strings.Repeat("é", (lineBytes-3)/2) + "..."}},
	} {
		for _, step := range []int{1, 7, tailBytes - 1, tailBytes, tailBytes + 1, 1 << 20} {
			t.Run(fmt.Sprintf("%s by %d", name, step), func(t *testing.T) {
				var below bytes.Buffer
				s := NewSink(&below)
				for part := range slices.Chunk([]byte(tc.said), step) {
					if n, err := s.Write(part); n != len(part) || err != nil {
						t.Fatalf("%d, %v", n, err)
					}
				}
				if got := s.Last(); !slices.Equal(got, tc.want) {
					t.Errorf("%q, want %q", got, tc.want)
				}
				if below.String() != tc.said {
					t.Error("the output was changed")
				}
			})
		}
	}
}

func TestSinkCountsAndRemembersWhatIsDropped(t *testing.T) {
	s := NewSink(writerFunc(func(p []byte) (int, error) { return 2, errors.New("disk full") }))
	if n, err := s.Write([]byte("hello\n")); n != 6 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if written, dropped := s.Counts(); written != 2 || dropped != 4 {
		t.Errorf("%d written, %d dropped", written, dropped)
	}
	if got := s.Last(); !slices.Equal(got, []string{"hello"}) {
		t.Errorf("%q", got)
	}
}

func TestSinkOfASilentStreamHoldsNothing(t *testing.T) {
	s := NewSink(io.Discard)
	if _, err := s.Write(nil); err != nil || s.tail.ring != nil {
		t.Errorf("%v, %d bytes", err, len(s.tail.ring))
	}
}

func TestLastLinesAreToldWhileTheWriterBelowBlocks(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := NewSink(writerFunc(func(p []byte) (int, error) {
		close(entered)
		<-leave
		return len(p), nil
	}))
	var writing sync.WaitGroup
	writing.Go(func() { s.Write([]byte("stuck\n")) })
	<-entered
	if got := s.Last(); !slices.Equal(got, []string{"stuck"}) {
		t.Errorf("%q", got)
	}
	close(leave)
	writing.Wait()
}

func TestLastLinesAreWholeWhileOthersAreWritten(t *testing.T) {
	s := NewSink(io.Discard)
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := range 5000 {
			fmt.Fprintf(s, "%08d\n", i)
		}
	})
	for range 500 {
		for _, line := range s.Last() {
			if len(line) != 8 {
				t.Fatalf("%q", line)
			}
		}
	}
	writing.Wait()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func BenchmarkSink(b *testing.B) {
	for _, size := range []int{80, 4 << 10, 32 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, p := NewSink(io.Discard), make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				s.Write(p)
			}
		})
	}
}
