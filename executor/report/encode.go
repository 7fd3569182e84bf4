package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// MaxSize bounds the file, in bytes, for who writes it and for who reads it.
const MaxSize = 1 << 20

// bounds of a report's lists and texts.
type bounds struct {
	items int // of each list
	text  int // bytes of each text; the terminal update's message may have eight times as many
}

// tighter are the bounds to try, in this order. With the last one a report fits whatever it says.
func tighter() []bounds {
	return []bounds{{512, 1 << 10}, {256, 512}, {128, 256}, {32, 128}}
}

// Encode returns the file's bytes: indented JSON, of at most [MaxSize] bytes. Long texts are cut and the middle of long lists is
// left out, and counted, only as far as it must be. An error is that of a time that RFC 3339 cannot write.
func Encode(r Report) ([]byte, error) {
	var text []byte
	for _, b := range tighter() {
		bounded := b.apply(r)
		if bounded.size() > MaxSize {
			continue // the memory to find out exactly is better saved: an executor may have 32 MB
		}
		var err error
		if text, err = marshal(bounded); err != nil {
			return nil, err
		}
		if len(text) <= MaxSize {
			break
		}
	}
	return text, nil
}

func marshal(r Report) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(r)
	return b.Bytes(), err
}

// apply returns a copy of r within the bounds, with the times as the file has them. r's lists are left alone.
func (b bounds) apply(r Report) Report {
	r.Version = Version
	var left int
	r.Events, left = middleOut(r.Events, b.items)
	r.Dropped += left
	if r.Events == nil {
		r.Events = []Event{} // the list is always there
	}
	r.Calls, left = middleOut(r.Calls, b.items)
	r.CallsDropped += left
	r.Witnesses, _ = middleOut(r.Witnesses, b.items)
	for _, list := range []*[]string{&r.Review, &r.Processes, &r.Output.Stdout.Last, &r.Output.Stderr.Last} {
		*list, _ = middleOut(*list, b.items)
	}
	for text := range r.texts {
		*text = Clip(*text, b.text)
	}
	r.Message = Clip(r.Message, 8*b.text)
	r.Began, r.Ended = instant(r.Began), instant(r.Ended)
	for i := range r.Events {
		r.Events[i].At = instant(r.Events[i].At)
	}
	for i := range r.Calls {
		r.Calls[i].At = instant(r.Calls[i].At)
	}
	return r
}

// size is about the least that r takes in the file.
func (r *Report) size() int {
	n := len(r.Message)
	for text := range r.texts {
		n += len(*text)
	}
	return n
}

// texts goes through all of them but the message.
func (r *Report) texts(yield func(*string) bool) {
	for _, s := range []*string{&r.Executor, &r.Mode, &r.TaskID, &r.ContainerID, &r.ContainerName, &r.DockerID, &r.Image,
		&r.AgentID, &r.FrameworkID, &r.State, &r.Reason, &r.Class.ID, &r.Class.Team, &r.Class.App, &r.Class.Untagged, &r.Engine.Host, &r.Engine.Version, &r.Engine.APIVersion,
		&r.Engine.StorageDriver, &r.Engine.CgroupDriver, &r.Engine.Condition} {
		if !yield(s) {
			return
		}
	}
	for i := range r.Events {
		if e := &r.Events[i]; !yield(&e.Kind) || !yield(&e.Text) || !yield((*string)(&e.Severity)) {
			return
		}
	}
	for i := range r.Calls {
		if c := &r.Calls[i]; !yield(&c.Call) || !yield(&c.Outcome) || !yield(&c.Error) {
			return
		}
	}
	for i := range r.Witnesses {
		if w := &r.Witnesses[i]; !yield(&w.Name) || !yield(&w.Said) {
			return
		}
	}
	for _, list := range [][]string{r.Review, r.Processes, r.Output.Stdout.Last, r.Output.Stderr.Last} {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

// middleOut returns a copy of at most keep items, a quarter of them the first and the others the last, and how many it
// left out.
func middleOut[T any](list []T, keep int) ([]T, int) {
	left := len(list) - keep
	if left <= 0 {
		return slices.Clone(list), 0
	}
	head := keep / 4
	return slices.Concat(list[:head], list[head+left:]), left
}

// instant is t as the file has it.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}
