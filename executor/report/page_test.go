package report

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const docsPage = "../../docs/report.md"

func TestPageShowsWhatTheCommandPrints(t *testing.T) {
	text, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n```text\n")
	shown, _, _ := strings.Cut(rest, "```\n")
	if diff := cmp.Diff(rendered(t, example(t, "frozen-engine"), 100, false), shown); diff != "" {
		t.Error(diff)
	}
}

func TestPageNamesEveryField(t *testing.T) {
	text, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## Fields\n")
	if !found {
		t.Fatal("no section Fields")
	}
	fields(reflect.TypeFor[Report](), func(name string) {
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("no %s", name)
		}
	})
}

// fields visits the JSON names below a type.
func fields(of reflect.Type, visit func(name string)) {
	for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[time.Time]() {
		return
	}
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		visit(name)
		fields(f.Type, visit)
	}
}
