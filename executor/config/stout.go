package config

import (
	"errors"
	"fmt"
	"strings"
)

// stoutFlag is one flag as it stands on the command line, in the syntax of
// stout (3rdparty/stout/include/stout/flags/flags.hpp).
type stoutFlag struct {
	name     string // lower case, without "--" and "no-"
	negated  bool   // --no-name
	value    string // what follows the first "="
	hasValue bool   // there was a "="
}

// splitFlags returns the flags before "--". Words that do not begin with "--"
// are skipped: stout has no "--name value".
func splitFlags(args []string) []stoutFlag {
	var flags []stoutFlag
	for _, arg := range args {
		if arg == "--" {
			break
		}
		body, ok := strings.CutPrefix(arg, "--")
		if !ok {
			continue
		}
		var f stoutFlag
		f.name, f.value, f.hasValue = strings.Cut(body, "=")
		f.name, f.negated = strings.CutPrefix(strings.ToLower(f.name), "no-")
		flags = append(flags, f)
	}
	return flags
}

// text returns the value of a flag that needs one.
func (f stoutFlag) text() (string, error) {
	switch {
	case f.negated:
		return "", fmt.Errorf("is no switch, --no-%s means nothing; write --%s=value", f.name, f.name)
	case !f.hasValue:
		return "", fmt.Errorf("has no value; write --%s=value", f.name)
	}
	return f.value, nil
}

// boolean returns the value of a switch: --name, --no-name, --name=true|1,
// --name=false|0; an empty value counts as none.
func (f stoutFlag) boolean() (bool, error) {
	switch {
	case f.value == "":
		return !f.negated, nil
	case f.negated:
		return false, errors.New("cannot have both no- and a value")
	case f.value == "true" || f.value == "1":
		return true, nil
	case f.value == "false" || f.value == "0":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", quote(f.value))
}

// text returns the function that stores the value of a flag in to, if check
// (nil: anything goes) finds nothing wrong with it.
func text(to *string, check func(string) error) func(stoutFlag) error {
	return func(f stoutFlag) error {
		value, err := f.text()
		if err == nil && check != nil {
			err = check(value)
		}
		if err == nil {
			*to = value
		}
		return err
	}
}

// folder returns the function that stores the path of a folder in to.
func folder(to *string) func(stoutFlag) error {
	return func(f stoutFlag) error {
		value, err := f.text()
		if err == nil {
			value, err = agentFolder(value)
		}
		if err == nil {
			*to = value
		}
		return err
	}
}

// boolean returns the function that stores a switch in to.
func boolean(to *bool) func(stoutFlag) error {
	return func(f stoutFlag) (err error) {
		*to, err = f.boolean()
		return err
	}
}
