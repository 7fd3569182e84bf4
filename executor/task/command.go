package task

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/docker/docker/api/types/strslice"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// command finds the CommandInfo and translates it as the stock executor does (src/docker/docker.cpp, RunOptions::create):
// a shell command replaces the image's entrypoint; otherwise value and arguments replace the image's command, and with
// neither the image's own runs. arguments[0] is an argument, not argv[0].
//
// It returns the CommandInfo for its environment; nil if there is none.
func (t *translation) command() *mesos.CommandInfo {
	command, field := t.commandSource()
	if command == nil || !t.commandCounts(field, command) {
		return nil
	}
	t.user(join(field, "user"), command.GetUser())
	for i, word := range slices.Concat([]string{command.GetValue()}, command.Arguments) {
		if strings.ContainsRune(word, 0) {
			t.invalid(field, "", "Word %d of the command holds a NUL character; remove it.", i)
			return command // one says it: the rest of the words would have the policy say it again
		}
	}

	config := &t.spec.Config
	if command.GetShell() {
		if command.Value == nil {
			t.invalid(join(field, "value"), "", "A shell command has no value; set `value`, or set `shell` to false to run the image's own command.")
			return command
		}
		if len(command.Arguments) > 0 {
			t.note("%s ignored, as always with a shell command", join(field, "arguments"))
		}
		config.Entrypoint = strslice.StrSlice{"/bin/sh"}
		config.Cmd = strslice.StrSlice{"-c", command.GetValue()}
		t.origin("Config.Entrypoint", join(field, "shell"))
	} else {
		if command.Value != nil {
			config.Cmd = append(config.Cmd, command.GetValue())
		}
		config.Cmd = append(config.Cmd, command.Arguments...)
	}
	t.origin("Config.Cmd", field)
	return command
}

// user runs the task as CommandInfo.user, which the stock executor ignores (MESOS-5754). Names are those of the image.
func (t *translation) user(field, user string) {
	if user == "" {
		return
	}
	if err := security.CheckUser(user); err != nil {
		t.invalid(field, user, "User %s cannot be used: it %v.", quote(user), err)
		return
	}
	t.spec.Config.User = user
	t.origin("Config.User", field)
}

// commandSource returns the CommandInfo of the task, nil for the image's own command, and the field it came from.
func (t *translation) commandSource() (*mesos.CommandInfo, string) {
	if t.in.Mode == DropIn {
		if t.task.Command == nil {
			t.invalid("command", "", "The task has no command; add one, with `shell` false to run the image's own.")
		}
		if len(t.task.Data) > 0 {
			t.note("data ignored: the task has a command")
		}
		return t.task.Command, "command"
	}

	if t.task.Command != nil {
		t.invalid("command", "", "A task with an executor of its own cannot have a command; put the CommandInfo into `data`.")
		return nil, ""
	}
	if len(t.task.Data) > 0 {
		return t.commandFromData(), "data"
	}
	if words := t.in.Words; len(words) > 0 {
		shell := false
		return &mesos.CommandInfo{Shell: &shell, Value: &words[0], Arguments: words[1:]}, "the executor's command line"
	}
	return nil, ""
}

// commandFromData reads a CommandInfo from TaskInfo.data, as JSON or protobuf. Problems name fields, never values: the
// data holds the environment.
func (t *translation) commandFromData() *mesos.CommandInfo {
	command, data := new(mesos.CommandInfo), t.task.Data
	var found problems
	asJSON := isJSONObject(data)
	if asJSON {
		found = checkJSON(data, commandInfoSchema())
	} else {
		found = checkWire(data, commandInfoSchema())
	}
	if !asJSON && len(found.list) > 0 && isPlainText(data) {
		t.invalid("data", "", "The data is neither JSON nor protobuf; write a CommandInfo as one of the two, for example {\"shell\": true, \"value\": \"...\"}.")
		return nil
	}
	for _, p := range found.list {
		t.invalid(join("data", p.path), "", "%s (The data must be a CommandInfo as JSON or protobuf.)", p.message)
	}
	if found.broken {
		return nil
	}

	var err error
	if asJSON {
		// Its fields and types are known to be right when there was no problem; otherwise its error adds nothing.
		err = decodeJSON(data, command)
	} else {
		err = decode(data, command)
	}
	if err != nil {
		if len(found.list) == 0 {
			t.invalid("data", "", "The data cannot be decoded as a CommandInfo; write it as JSON or protobuf.")
		}
		return nil
	}
	return command
}

// isJSONObject tells the encodings apart. '{' cannot start a protobuf message (it would open a group of field 15), but
// a line feed before it can (field 1), so with blanks before the brace all of it has to be JSON.
func isJSONObject(data []byte) bool {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return false
	}
	return len(trimmed) == len(data) || json.Valid(data)
}

// isPlainText reports whether data is what people write by hand. The lengths of protobuf are control characters, if not all
// of them are long.
func isPlainText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(c rune) bool { return unicode.IsControl(c) && !unicode.IsSpace(c) })
}
