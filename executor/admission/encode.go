package admission

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	stateVersion = 1
	maxState     = 4 << 10 // bytes of a state file that are read
	maxCause     = 512     // bytes
)

// errState is a state that this program cannot use. It is left as it is: another version's belongs to
// executors that can.
var errState = errors.New("not a state of this version")

// stateFile is the form of a [State] in its file.
type stateFile struct {
	Version  int       `json:"version"`
	Phase    string    `json:"phase"`
	Changed  time.Time `json:"changed,omitzero"`
	Cause    string    `json:"cause,omitempty"`
	Failures int       `json:"failures,omitempty"`
	Next     time.Time `json:"next,omitzero"`
	Asked    time.Time `json:"asked,omitzero"`
	Probing  time.Time `json:"probing,omitzero"`
	Turn     uint32    `json:"turn,omitempty"`
}

func formatState(s State) ([]byte, error) {
	data, err := json.Marshal(stateFile{
		stateVersion, s.Phase.String(), s.Changed.UTC(), s.Cause, s.Failures, s.Next.UTC(), s.Asked.UTC(), s.Probing.UTC(), s.Turn,
	})
	return append(data, '\n'), err
}

// parseState is strict: executors of one version write nothing else. Every error is an [errState].
func parseState(data []byte) (State, error) {
	head := struct{ Version int }{}
	if err := json.Unmarshal(data, &head); err != nil {
		return State{}, fmt.Errorf("%w: %w", errState, err)
	}
	if head.Version != stateVersion {
		return State{}, fmt.Errorf("%w: its version is %d, this executor knows %d", errState, head.Version, stateVersion)
	}
	file := stateFile{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return State{}, fmt.Errorf("%w: %w", errState, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return State{}, fmt.Errorf("%w: something follows it", errState)
	}
	s := State{
		Changed: file.Changed, Cause: file.Cause, Failures: file.Failures,
		Next: file.Next, Asked: file.Asked, Probing: file.Probing, Turn: file.Turn,
	}
	for ; s.Phase.String() != file.Phase; s.Phase++ {
		if s.Phase == HalfOpen {
			return State{}, fmt.Errorf("%w: unknown phase %q", errState, file.Phase)
		}
	}
	if err := s.check(); err != nil {
		return State{}, fmt.Errorf("%w: %w", errState, err)
	}
	return s, nil
}

// check refuses a state that apply cannot have made.
func (s State) check() error {
	switch open := s.Phase != Closed; {
	case s.Turn >= turns:
		return errors.New("there is no such turn")
	case open && (s.Changed.IsZero() || s.Next.IsZero() || s.Asked.IsZero()):
		return errors.New("an open breaker lacks a time")
	case open && s.Failures < 1:
		return errors.New("an open breaker lacks failures")
	case (s.Phase == HalfOpen) == s.Probing.IsZero():
		return errors.New("phase and time of the probe contradict each other")
	case s.Cause != oneLine(s.Cause):
		return errors.New("the cause is not one short line")
	}
	return nil
}

// oneLine makes a short printable line of a message.
func oneLine(message string) string {
	message = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, strings.ToValidUTF8(message, "?"))
	if len(message) <= maxCause {
		return message
	}
	cut := maxCause - len("...")
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "..."
}
