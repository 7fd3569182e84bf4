package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Read reads a report and checks it. Unknown fields are ignored: a newer program of the same format may write them. The error is
// one line that says what is wrong with the file and what to do, and nothing in it acts on a terminal. It reads no more than
// [MaxSize] bytes and one.
func Read(from io.Reader) (Report, error) {
	text, err := io.ReadAll(io.LimitReader(from, MaxSize+1))
	switch {
	case err != nil:
		return Report{}, fmt.Errorf("cannot be read: %w", err)
	case len(text) > MaxSize:
		return Report{}, notOne(fmt.Sprintf("it has more than %d MiB", MaxSize>>20))
	case len(bytes.TrimSpace(text)) == 0:
		return Report{}, errors.New("is empty; copy it again, or read mesos-docker-executor.log beside it")
	case bytes.TrimSpace(text)[0] != '{':
		return Report{}, notOne("it is no JSON object")
	}
	if err := rightVersion(text); err != nil {
		return Report{}, err
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, damaged(err)
	}
	if r.State == "" {
		return Report{}, notOne("it has no state")
	}
	if !r.timesAreSound() {
		return Report{}, notOne("a time in it is out of range")
	}
	return r, nil
}

// rightVersion looks at the format before the rest, which another version may have made of other types.
func rightVersion(text []byte) error {
	var head struct {
		Version *int            `json:"version"`
		By      json.RawMessage `json:"executor_version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return damaged(err)
	}
	switch {
	case head.Version == nil:
		return notOne("it has no version")
	case *head.Version != Version:
		by := "the mesos-docker-executor that wrote it"
		var version string
		if json.Unmarshal(head.By, &version) == nil && version != "" {
			by += ", " + Printable(Clip(version, 64))
		}
		return fmt.Errorf("is of format version %d, and this program reads version %d; use %s", *head.Version, Version, by)
	}
	return nil
}

func notOne(why string) error {
	return fmt.Errorf("is no report: %s; name a sandbox, or the file %s in it", why, FileName)
}

// damaged words an error of the decoder's, whose own words may quote the file.
func damaged(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input":
		return fmt.Errorf("is not whole: it ends within the report, after %d bytes; copy it again, or read mesos-docker-executor.log beside it", syntax.Offset)
	case errors.As(err, &syntax):
		return fmt.Errorf("is damaged: no JSON at byte %d; copy it again, or read mesos-docker-executor.log beside it", syntax.Offset)
	case errors.As(err, &kind):
		return notOne(fmt.Sprintf("a wrong type at byte %d", kind.Offset))
	}
	return notOne("a value in it, such as a time, is malformed") // time.Time's own error
}

// timesAreSound reports whether all of them can be written again in UTC: RFC 3339 ends with the year 9999, but a time zone can
// lead over it.
func (r *Report) timesAreSound() bool {
	sound := func(t time.Time) bool { year := t.UTC().Year(); return 0 <= year && year <= 9999 }
	ok := sound(r.Began) && sound(r.Ended)
	for i := range r.Events {
		ok = ok && sound(r.Events[i].At)
	}
	for i := range r.Calls {
		ok = ok && sound(r.Calls[i].At)
	}
	return ok
}
