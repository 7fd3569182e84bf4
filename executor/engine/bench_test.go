package engine

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

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
