package config_test

import (
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
)

var update = flag.Bool("update", false, "write the configuration table into docs/config.md")

// TestPageHasTheTable keeps docs/config.md in step with the code. To renew it:
// go test ./executor/config -run TestPageHasTheTable -update
func TestPageHasTheTable(t *testing.T) {
	const page, begin, end = "../../docs/config.md", "<!-- config-table -->\n", "<!-- /config-table -->"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/config.md has no lines %s and %s with the table between them", strings.TrimSpace(begin), end)
	}
	var want strings.Builder
	if err := config.Table(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want.String(), got); diff != "" {
		t.Errorf("docs/config.md is behind, run go test ./executor/config -run TestPageHasTheTable -update (-want +got):\n%s", diff)
	}
}

// TestKeysAreTheFieldsOfFile walks the yaml tags, so that no field is without
// parser, range and documentation.
func TestKeysAreTheFieldsOfFile(t *testing.T) {
	var fields []string
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, prefix string) {
		for f := range typ.Fields() {
			name := prefix + f.Tag.Get("yaml")
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type, name+".")
			} else {
				fields = append(fields, name)
			}
		}
	}
	walk(reflect.TypeFor[config.File](), "")
	var keys []string
	for _, k := range config.Keys() {
		keys = append(keys, k.Path)
		if k.Type == "" || k.Allowed == "" || k.Meaning == "" {
			t.Errorf("%s is not described: %+v", k.Path, k)
		}
	}
	slices.Sort(fields)
	slices.Sort(keys)
	if diff := cmp.Diff(fields, keys); diff != "" {
		t.Errorf("keys (-fields of File +keys):\n%s", diff)
	}
}

// TestDefaultsAreAllowed writes each default as the table shows it.
func TestDefaultsAreAllowed(t *testing.T) {
	for _, k := range config.Keys() {
		if k.Path == "version" {
			continue
		}
		value := k.Default
		if k.Type == "string" {
			value = `"` + value + `"`
		}
		text := "version: 1\n"
		for i, name := range strings.Split(k.Path, ".") {
			text += strings.Repeat("  ", i) + name + ":\n"
		}
		text = strings.TrimSuffix(text, "\n") + " " + value + "\n"
		file, err := config.Parse("c.yaml", []byte(text))
		if err != nil || file != config.Default() {
			t.Errorf("%s: %v, %+v", text, err, file)
		}
	}
}
