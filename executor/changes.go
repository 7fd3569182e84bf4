package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// change is a difference between two JSON values.
type change struct {
	Path string `json:"path"` // keys with dots between them
	// Added and Removed are elements of a list; any other difference, that of an order included, has Old and New.
	Added   []any `json:"added,omitempty"`
	Removed []any `json:"removed,omitempty"`
	Old     any   `json:"old,omitempty"`
	New     any   `json:"new,omitempty"`
}

func (c change) String() string {
	var parts []string
	for _, v := range c.Removed {
		parts = append(parts, "- "+compact(v))
	}
	for _, v := range c.Added {
		parts = append(parts, "+ "+compact(v))
	}
	if parts == nil {
		parts = []string{compact(c.Old) + " -> " + compact(c.New)}
	}
	return c.Path + ": " + strings.Join(parts, ", ")
}

// longestShown is how many bytes of a text are shown in full. Only seccomp profiles have more that a policy changes.
const longestShown = 1000

// compact writes a JSON value on one line; a string without its quotes, and a very long one cut, and told from others by its digest.
func compact(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		if len(v) > longestShown {
			return fmt.Sprintf("%s (%d bytes, sha256 %x)", escaped(short(v)), len(v), sha256.Sum256([]byte(v)))
		}
		return escaped(v)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // it came from JSON
	return escaped(strings.TrimSpace(text.String()))
}

// changesBetween compares what two values are in JSON.
func changesBetween(old, new any) ([]change, error) {
	a, err := generic(old)
	if err != nil {
		return nil, err
	}
	b, err := generic(new)
	if err != nil {
		return nil, err
	}
	return walkChanges("", a, b), nil
}

func generic(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	return value, decoder.Decode(&value)
}

func walkChanges(path string, old, new any) []change {
	if reflect.DeepEqual(old, new) {
		return nil
	}
	a, oneIsMap := old.(map[string]any)
	b, otherIsMap := new.(map[string]any)
	if (oneIsMap || old == nil) && (otherIsMap || new == nil) {
		var list []change
		keys := map[string]any{}
		maps.Copy(keys, a)
		maps.Copy(keys, b)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			list = append(list, walkChanges(strings.TrimPrefix(path+"."+key, "."), a[key], b[key])...)
		}
		return list
	}
	from, oneIsList := old.([]any)
	to, otherIsList := new.([]any)
	if (oneIsList || old == nil) && (otherIsList || new == nil) {
		c := change{Path: path, Removed: without(from, to), Added: without(to, from)}
		if c.Removed != nil || c.Added != nil {
			return []change{c}
		}
	}
	return []change{{Path: path, Old: old, New: new}}
}

// without returns the elements of a list that the other has not, or not so often.
func without(list, other []any) []any {
	left := map[string]int{}
	for _, v := range other {
		left[fmt.Sprintf("%#v", v)]++
	}
	var kept []any
	for _, v := range list {
		if key := fmt.Sprintf("%#v", v); left[key] > 0 {
			left[key]--
		} else {
			kept = append(kept, v)
		}
	}
	return kept
}
