package policyfile

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mesos-docker-executor/security"
)

var update = flag.Bool("update", false, "write the generated table into docs/policy-file.md")

// typeOf names what is written for a key.
func typeOf(key string, t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Bool:
		return "boolean"
	case strings.HasSuffix(key, "_size"):
		return "size"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return "number"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return "list of entries"
	case t.Kind() == reflect.Slice:
		return "list of texts"
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.String:
		return "map of texts"
	case t.Kind() == reflect.Map:
		return "map of numbers"
	}
	return "text"
}

// builtInValue is the value of a key as one would write it, "" for the keys of an entry of a list.
func builtInValue(key string, v reflect.Value, f fact) string {
	switch {
	case v.Kind() == reflect.Map && v.Len() == 0:
		return "{}"
	case v.Kind() == reflect.Map:
		var elements []string
		for _, e := range sortedByKey(v) {
			elements = append(elements, e.String()+": "+formatNumber(key, e.String(), v.MapIndex(e).Int(), f))
		}
		return "{" + strings.Join(elements, ", ") + "}"
	}
	return formatValue(key, v, f)
}

// keyRows has a row for each key of rules, those of what break_glass allows included, in the order of the policy that `policy
// default` prints.
func keyRows() [][]string {
	all := facts()
	var rows [][]string
	var walk func(v reflect.Value, prefix string, defaults bool)
	walk = func(v reflect.Value, prefix string, defaults bool) {
		for i := range v.NumField() {
			name := jsonName(v.Type().Field(i))
			key, field := prefix+name, v.Field(i)
			f, known := all[key]
			switch {
			case key == "mode", !known && key != "break_glass": // reason and expires of an entry among them
				continue
			case field.Kind() == reflect.Struct:
				walk(field, key+".", defaults && name != "break_glass")
				continue
			}
			value := "-"
			if defaults {
				value = "`" + builtInValue(key, field, f) + "`"
			}
			rows = append(rows, []string{"`" + key + "`", typeOf(key, field.Type()), value, plain(f.allowed), plain(f.meaning)})
			if field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct {
				walk(reflect.Zero(field.Type().Elem()), key+".", false)
			}
		}
	}
	walk(reflect.ValueOf(security.BuiltInRules()), "", true)
	first := func(row []string) int { return map[bool]int{true: 1}[strings.HasPrefix(row[0], "`break_glass.")] }
	slices.SortStableFunc(rows, func(a, b []string) int { return first(a) - first(b) }) // what lifts comes last
	return rows
}

// plain has no '*' that Markdown would take for emphasis.
func plain(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.ReplaceAll(parts[i], "*", `\*`)
	}
	return strings.Join(parts, "`")
}

// TestTableOfKeys: the page has every key that the parser knows, with the words of the messages. To renew it: make docs
func TestTableOfKeys(t *testing.T) {
	var b strings.Builder
	b.WriteString("| key | type | built-in | write | what it does |\n|---|---|---|---|---|\n")
	var keys []string
	for _, row := range keyRows() {
		keys = append(keys, strings.Trim(row[0], "`"))
		for i, cell := range row {
			row[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	for key, f := range facts() {
		if f.allowed != "" && !slices.Contains(keys, key) {
			t.Errorf("%s is not in the table", key)
		}
	}

	page := filepath.Join("..", "..", "docs", "policy-file.md")
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- keys -->\n", "<!-- /keys -->"
	before, rest, ok := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the page has no lines %s and %s", begin, end)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != b.String() {
		t.Errorf("docs/policy-file.md is behind; run `make docs`. It is to be\n%s", b.String())
	}
}
