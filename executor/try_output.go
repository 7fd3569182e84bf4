package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// output is where a run is shown. One goroutine writes; it remembers the first error and drops what comes after it.
type output struct {
	to     io.Writer
	err    error
	failed chan struct{} // closed at the first error
}

func newOutput(to io.Writer) *output { return &output{to: to, failed: make(chan struct{})} }

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
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
