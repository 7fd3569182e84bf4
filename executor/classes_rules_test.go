package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// printedRules runs the command with these flags.
func printedRules(stdin io.Reader, flags ...string) (out string, status int, complaint string) {
	var b bytes.Buffer
	app := newApp(nil, new(int))
	app.Writer, app.Reader = &b, stdin
	app.Commands = []*cli.Command{{Name: "classes", Subcommands: []*cli.Command{classesRulesCommand()}}}
	err := app.Run(append([]string{"x", "classes", "rules"}, flags...))
	var exit cli.ExitCoder
	switch {
	case errors.As(err, &exit):
		return b.String(), exit.ExitCode(), err.Error()
	case err != nil:
		return b.String(), exitUsage, err.Error()
	}
	return b.String(), exitOK, ""
}

// rulesLines are the lines of a rule set that are no comments.
func rulesLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestRulesAreOfTheHostsCluster(t *testing.T) {
	for _, format := range []string{"nft", "iptables"} {
		out, status, complaint := printedRules(nil, "--format", format, "--classes", twoClusters)
		if status != exitOK {
			t.Fatal(complaint)
		}
		for _, want := range []string{
			"# Rules by network class, for " + format + ", from two-clusters.yaml, sha256 ",
			"0x00100001", "gra1/web (team default)", "0x00100100", "gra1/web app /web/front", "0x00100102", "gra1/web app /web/cart (retired)", "gra1/data app kafka",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", format, want, out)
			}
		}
		if strings.Contains(out, "sbg1") {
			t.Errorf("%s: another cluster\n%s", format, out)
		}
		for _, line := range rulesLines(out) {
			if strings.Contains(strings.ToLower(line), "drop") || strings.Contains(strings.ToLower(line), "reject") || strings.Contains(line, " mark ") {
				t.Errorf("%s: %s", format, line)
			}
		}
	}
}

func TestRulesOfTeamsAndApps(t *testing.T) {
	for _, test := range []struct {
		flags    string
		has, not []string
	}{
		{"--team data", []string{"0x00110001", "0x00110000", "gra1/data app kafka"}, []string{"gra1/web"}},
		{"--team sbg1/web", []string{"0x00200100"}, []string{"gra1"}},
		{"--cluster sbg1", []string{"0x00200001", "0x00200100"}, []string{"gra1"}},
		{"--app kafka --app /web/front", []string{"0x00110100", "0x00100100", "meta cgroup != @classes return"}, []string{"0x00100000 ", "0x00110001", "spark"}},
		{"--app kafka --name kafka --drop-to 192.0.2.1 --drop-to 2001:db8::/32", []string{"table inet mde-kafka {", "192.0.2.1/32", "2001:db8::/32", "@drop4 counter drop"}, []string{"reject", "allow"}},
		{"--allow-to 10.0.0.0/8 --reject", []string{"ip daddr @allow4 counter return", "counter reject"}, []string{"counter drop", "@allow6"}},
		{"--rules none --drop-to 10.0.0.0/8", []string{"counter drop"}, []string{"# counts", "@classes"}},
		{"--rules count,ctmark", []string{"# counts", "ct mark set meta cgroup"}, []string{"meta mark set", "Calico"}},
		{"--rules mark", []string{"meta mark set meta cgroup", "Calico"}, []string{"# counts", "ct mark"}},
		{"--rules nflog --group 7", []string{`log prefix "class=0x00100100 " group 7 `}, []string{"limit rate"}},
		{"--rules log", []string{`limit rate 10/second log prefix "class=0x00100100 "`}, []string{"group 5"}},
		{"--format iptables --rules nflog --group 7 --team data", []string{`--cgroup 0x00110100 -m comment --comment "gra1/data app kafka" -j NFLOG --nflog-group 7`}, []string{"gra1/web", "-j mde-classes-count"}},
	} {
		out, status, complaint := printedRules(nil, append([]string{"--classes", twoClusters}, strings.Fields(test.flags)...)...)
		if status != exitOK || complaint != "" {
			t.Errorf("%s: %d %s", test.flags, status, complaint)
			continue
		}
		for _, want := range test.has {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", test.flags, want, out)
			}
		}
		for _, line := range strings.Split(out, "\n") {
			for _, not := range test.not {
				if strings.Contains(line, not) && !strings.Contains(line, "# Examples") && !strings.Contains(line, "#meta") && !strings.HasPrefix(line, "#-") {
					t.Errorf("%s: %q in %s", test.flags, not, line)
				}
			}
		}
	}
}

// A text of many classes is printed for iptables too, and complete.
func TestManyRulesForIPTablesArePrinted(t *testing.T) {
	file := "version: 1\nclusters:\n  c:\n    teams:\n      t:\n        major: 0x0010\n        apps:\n"
	for i := range 1000 {
		file += fmt.Sprintf("          /t/app%d: 0x%08x\n", i, 0x00100100+i)
	}
	out, status, complaint := printedRules(strings.NewReader(file), "--classes", "-", "--format", "iptables")
	if n := strings.Count(out, "\n-A mde-classes-count "); status != exitOK || n != 1000+1 || !strings.HasSuffix(out, "\nCOMMIT\n") {
		t.Errorf("%d %s, %d rules", status, complaint, n)
	}
}

func TestRulesRefuseWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		flags string
		want  []string // parts of the complaint
	}{
		{"--format pf", []string{`"pf"`, "nft", "iptables"}},
		{"--team wbe", []string{`no team "wbe"`, "known are", "web"}},
		{"--cluster gra2", []string{`"gra2"`, "gra1, sbg1"}},
		{"--cluster sbg1 --team data", []string{`no team "data"`, "known are web"}},
		{"--app /web/none", []string{`--app: there is no app "/web/none"`, "/web/front"}},
		{"--app /web/front --team data", []string{`no app "/web/front"`, "kafka"}},
		{"--rules count,drop", []string{`"drop" is none of count, mark`, "--drop-to"}},
		{"--rules=", []string{`"" is none of`}},
		{"--rules none", []string{"nothing to write"}},
		{"--group 65536", []string{"--group", "65535"}},
		{"--reject", []string{"--reject", "--drop-to"}},
		{"--name Web", []string{`name "Web"`, "lower-case"}},
		{"--drop-to 10.0.0.1/8", []string{"--drop-to", "10.0.0.0/8", "or 10.0.0.1 for"}},
		{"--allow-to example.org", []string{"--allow-to", `"example.org"`, "192.0.2.1"}},
		{"--allow-to fe80::1%eth0", []string{"--allow-to"}},
		{"--allow-to ::ffff:10.0.0.1", []string{"write 10.0.0.1/32"}},
		{"--allow-to ::ffff:10.0.0.0/104", []string{"write 10.0.0.0/8"}},
		{"nft", []string{`"nft"`, "flags only"}},
	} {
		out, status, complaint := printedRules(nil, append([]string{"--classes", twoClusters}, strings.Fields(test.flags)...)...)
		if status != exitUsage || out != "" || strings.Contains(complaint, "\n") {
			t.Errorf("%s: %d %q\n%s", test.flags, status, complaint, out)
		}
		for _, want := range test.want {
			if !strings.Contains(complaint, want) {
				t.Errorf("%s: no %q in %s", test.flags, want, complaint)
			}
		}
	}
}

func TestRulesFromStdinAndOfAFileThatIsNotRoots(t *testing.T) {
	text, err := os.ReadFile(twoClusters)
	if err != nil {
		t.Fatal(err)
	}
	out, status, complaint := printedRules(strings.NewReader(string(text)), "--classes", "-")
	if status != exitOK || !strings.Contains(out, "from stdin, sha256 ") {
		t.Errorf("%d %s\n%s", status, complaint, out)
	}
	file := filepath.Join(t.TempDir(), "classes.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	lenient, status, complaint := printedRules(nil, "--classes", file)
	if status != exitOK || !slices.Equal(rulesLines(lenient), rulesLines(out)) {
		t.Errorf("%d %s\n%s", status, complaint, lenient)
	}
}

// TestOutputOnTheFirewallPage: what the page shows is what is printed. To renew it: go test ./executor -run FirewallPage -update
func TestOutputOnTheFirewallPage(t *testing.T) {
	t.Chdir("..")
	const page, marker = "docs/firewall.md", "<!-- prints: classes rules "
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(data), marker)
	flags, rest, _ := strings.Cut(rest, " -->\n```text\n")
	shown, after, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("the page has no block behind " + marker)
	}
	out, _, complaint := printedRules(nil, strings.Fields(flags)...)
	if complaint != "" {
		t.Fatal(complaint)
	}
	out = regexp.MustCompile("[0-9a-f]{64}").ReplaceAllString(out, "...") // so that a remark in the file does not concern the page
	if *update {
		text := before + marker + flags + " -->\n```text\n" + out + "```\n" + after
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if out != shown {
		t.Errorf("the page is behind; it is printed\n%s", out)
	}
}
