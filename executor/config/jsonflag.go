package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// checkJSONObject says what is wrong with the value of a flag that is to be a
// JSON object. The error does not show the value.
func checkJSONObject(value string) error {
	_, err := jsonObject(value)
	return err
}

// jsonObject takes the object apart, keeping each member's value as it stands.
// A member that appears twice is an error: readers differ in which one counts.
func jsonObject(value string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(strings.NewReader(value))
	// The decoder's own errors quote the input, which may be a secret; the
	// position is enough to find the place.
	malformed := func() error {
		return fmt.Errorf("is not valid JSON near byte %d of %d (value not shown)", d.InputOffset(), len(value))
	}
	open, err := d.Token()
	if err != nil {
		return nil, malformed()
	}
	if open != json.Delim('{') {
		return nil, errors.New("is not a JSON object (value not shown)")
	}
	object := map[string]json.RawMessage{}
	for d.More() {
		// Inside an object the decoder lets nothing but a string stand here.
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, malformed()
		}
		if _, seen := object[name]; seen {
			return nil, fmt.Errorf("has the member %s twice", quote(name))
		}
		var member json.RawMessage
		if err := d.Decode(&member); err != nil {
			return nil, malformed()
		}
		object[name] = member
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed()
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("has something after the JSON object, at byte %d", d.InputOffset())
	}
	return object, nil
}

// parseTaskEnvironment reads --task_environment, a JSON object of strings.
// Errors name variables and never show values.
func parseTaskEnvironment(value string) (map[string]string, error) {
	object, err := jsonObject(value)
	if err != nil {
		return nil, fmt.Errorf("%w; an object of strings is needed", err)
	}
	env := make(map[string]string, len(object))
	var wrong []error
	for name, member := range object {
		var text *string
		err := json.Unmarshal(member, &text)
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			wrong = append(wrong, fmt.Errorf("%s cannot be the name of a variable", quote(name)))
		case err != nil || text == nil:
			wrong = append(wrong, fmt.Errorf("the value of %s is not a string (value not shown)", quote(name)))
		case strings.ContainsRune(*text, 0):
			wrong = append(wrong, fmt.Errorf("the value of %s contains a NUL byte (value not shown)", quote(name)))
		default:
			env[name] = *text
		}
	}
	if len(wrong) > 0 {
		return nil, oneLine(wrong)
	}
	return env, nil
}

// oneLine joins errors in a fixed order: they come from a map.
func oneLine(errs []error) error {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	slices.Sort(texts)
	return errors.New(strings.Join(texts, "; "))
}
