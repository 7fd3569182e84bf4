package engine

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

// As Copy does it, which notes how far it came.
func BenchmarkDemultiplexAndNote(b *testing.B) {
	for name, text := range map[string]string{
		"frames": frame(1, strings.Repeat("x", 32<<10)) + frame(2, "short\n"),
		"lines":  strings.Repeat(frame(1, "a line of some length, as programs write them\n"), 100),
	} {
		b.Run(name, func(b *testing.B) {
			in := strings.Repeat(text, 100)
			at := &position{}
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				out, errs := &sink{to: io.Discard, at: at, of: &at.stdout}, &sink{to: io.Discard, at: at, of: &at.stderr}
				if err := demultiplex(bufio.NewReaderSize(strings.NewReader(in), copyBuffer), out, errs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDemultiplex(b *testing.B) {
	text := frame(1, strings.Repeat("x", 32<<10)) + frame(2, "short\n")
	in := strings.Repeat(text, 100)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if err := demultiplex(bufio.NewReaderSize(strings.NewReader(in), copyBuffer), &sink{to: io.Discard}, &sink{to: io.Discard}); err != nil {
			b.Fatal(err)
		}
	}
}
