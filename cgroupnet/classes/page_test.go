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
	var first *Registry
	seen := map[string]int{}
	for {
		_, after, found := strings.Cut(rest, "\n<!-- ")
		if !found {
			break
		}
		var marker, text string
		marker, rest, _ = strings.Cut(after, " -->\n")
		kind, of, _ := strings.Cut(marker, ": ")
		if seen[kind]++; kind == "spellings" {
			continue
		}
		text, rest = fenced(t, rest)
		r, err := Parse("classes.yaml", []byte(text))
		switch kind {
		case "classes":
			if err != nil {
				t.Errorf("%v\n%s", err, text)
			} else if first == nil {
				first = r
			}
		case "refused":
			var want string
			want, rest = fenced(t, rest)
			if err == nil || err.Error()+"\n" != want {
				t.Errorf("the page is to show\n%v", err)
			}
		case "denied": // by the first file
			role, app, _ := strings.Cut(of, " ")
			_, err := first.For(Identity{Principal: "marathon-proxy", Role: role, AppID: app, Trusted: true})
			if err == nil || err.Error()+"\n" != text {
				t.Errorf("the page is to show\n%v", err)
			}
		default:
			t.Errorf("what is %s?", marker)
		}
	}
	if seen["classes"] < 2 || seen["refused"] < 1 || seen["denied"] < 1 || seen["spellings"] != 1 {
		t.Errorf("%v", seen)
	}
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
