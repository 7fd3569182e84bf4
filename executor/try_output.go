package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// output is where a command prints. One goroutine writes; it remembers the first error and drops what comes after it.
type output struct {
	to     io.Writer
	err    error
	failed chan struct{} // closed at the first error
}

// newOutput leaves one that is there alone.
func newOutput(to io.Writer) *output {
	if out, ok := to.(*output); ok {
		return out
	}
	return &output{to: to, failed: make(chan struct{})}
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.to.Write(p)
	if err != nil {
		o.err = err
		close(o.failed)
	}
	return n, err
}

func isTerminal(w io.Writer) bool {
	if out, ok := w.(*output); ok {
		w = out.to
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
