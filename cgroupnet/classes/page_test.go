package classes

import (
	"os"
	"strings"
	"testing"
)

const pagePath = "../../docs/classes.md"

// fenced returns the content of the first fenced block, and what follows it.
func fenced(t *testing.T, page string) (block, rest string) {
	t.Helper()
	_, page, opened := strings.Cut(page, "```")
	_, page, _ = strings.Cut(page, "\n")
	block, rest, closed := strings.Cut(page, "```\n")
	if !opened || !closed {
		t.Fatal("no fenced block")
	}
	return block, rest
}

func readPage(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestExamplesOnThePage: what the page shows is read, refused or denied with the words that it shows.
func TestExamplesOnThePage(t *testing.T) {
	rest := readPage(t)
	var first string
	seen := map[string]int{}
	for {
		_, after, found := strings.Cut(rest, "\n<!-- ")
		if !found {
			break
		}
		var marker, text string
		marker, rest, _ = strings.Cut(after, " -->\n")
		kind, of, _ := strings.Cut(marker, ": ")
		if seen[kind]++; kind == "spellings" || kind == "test" || kind == "shows" { // the last two are those of commands
			continue
		}
		text, rest = fenced(t, rest)
		_, err := Parse("classes.yaml", []byte(text))
		switch kind {
		case "classes":
			if err != nil {
				t.Errorf("%v\n%s", err, text)
			} else if first == "" {
				first = text
			}
		case "refused":
			var want string
			want, rest = fenced(t, rest)
			if err == nil || err.Error()+"\n" != want {
				t.Errorf("the page is to show\n%v", err)
			}
		case "denied", "untagged", "default", "off":
			if got := toldOf(t, first, kind, of); got+"\n" != text {
				t.Errorf("the page is to show\n%s", got)
			}
		default:
			t.Errorf("what is %s?", marker)
		}
	}
	for _, kind := range []string{"untagged", "default", "off"} {
		if seen[kind] == 0 {
			t.Errorf("%s is not shown", kind)
		}
	}
	if blocks := strings.Count(readPage(t), "```yaml"); blocks != seen["classes"]+seen["refused"] {
		t.Errorf("%d blocks of YAML, of which %d are tested", blocks, seen["classes"]+seen["refused"])
	}
	if seen["classes"] < 2 || seen["refused"] < 1 || seen["denied"] < 1 || seen["spellings"] != 1 {
		t.Errorf("%v", seen)
	}
}

// toldOf is what a task, "ROLE APPID", is told by a file, that was changed to unknown: KIND or class_ids: off.
func toldOf(t *testing.T, file, kind, task string) string {
	t.Helper()
	with := map[string]string{"untagged": "class_ids: preferred\nunknown: untagged\n", "default": "unknown: default\n", "off": "class_ids: off\n"}
	r, err := Parse("classes.yaml", []byte(strings.Replace(file, "version: 1\n", "version: 1\n"+with[kind], 1)))
	if err != nil {
		t.Fatal(err)
	}
	role, app, _ := strings.Cut(task, " ")
	class, err := r.For(Identity{Principal: "marathon-proxy", Role: role, AppID: app, Trusted: true})
	if err != nil {
		return "class ID: " + err.Error() // as executor/task begins the message
	}
	return class.Reason
}

func TestSpellingsOnThePage(t *testing.T) {
	_, rest, _ := strings.Cut(readPage(t), "<!-- spellings -->\n")
	table, _, _ := strings.Cut(rest, "\n\n")
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		text := strings.Trim(cells[1], " `")
		if !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		rows++
		got := "refused"
		if id, err := ParseID(text); err == nil {
			got = id.String()
		}
		if want := strings.TrimSpace(cells[2]); got != want {
			t.Errorf("%s: %s, and the page says %s", text, got, want)
		}
	}
	if rows < 10 {
		t.Errorf("%d rows", rows)
	}
}

// TestKeysOnThePage: each key that the parser knows has a row.
func TestKeysOnThePage(t *testing.T) {
	_, table, _ := strings.Cut(readPage(t), "\n## Keys\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, key := range []string{"version", "class_ids", "unknown", "cluster", "principals", "clusters", "teams", "identities", "default_team", "retired", "major", "apps"} {
		if !strings.Contains(table, "\n| `"+key+"` | ") {
			t.Errorf("no row for %s", key)
		}
	}
}
