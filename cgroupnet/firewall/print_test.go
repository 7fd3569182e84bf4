package firewall

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata")

func TestPrinted(t *testing.T) {
	one := refusing()
	one.Name, one.Teams, one.Whole, one.Reject = "front", twoTeams()[:1], false, true
	one.Teams[0].Classes = one.Teams[0].Classes[1:2]
	for name, r := range map[string]Rules{"counting": counting(), "refusing": refusing(), "app": one} {
		for _, f := range []Format{NFT, IPTables} {
			file := filepath.Join("testdata", name+"."+string(f))
			got := printed(t, r, f)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: to take over what is printed now, go test ./cgroupnet/firewall -run Printed -update\n%s", file, got)
			}
		}
	}
}

func TestNothingIsRefusedUnasked(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		for line := range strings.Lines(strings.Replace(printed(t, everything(), f), "policy accept;", "", 1)) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, verdict := range []string{"drop", "reject", "accept", "DROP", "REJECT", "ACCEPT", "queue ", "QUEUE"} {
				if strings.Contains(line, verdict) {
					t.Errorf("%s: %s", f, line)
				}
			}
		}
	}
}

// A retired app may have any name, and a later version of the class file might allow more than this one.
func TestNamesCannotLeaveTheirComment(t *testing.T) {
	hostile := "a\"\n-A OUTPUT -j DROP\n\\\x00; } flush ruleset #'`$(x)\u2028é"
	r := everything()
	r.Source = hostile
	r.Teams = []Team{{Cluster: hostile, Name: hostile, Major: 1, Classes: []Class{{ID: 0x00010100, App: hostile, Retired: true}}}}
	harmless := r
	harmless.Source = "a"
	harmless.Teams = []Team{{Cluster: "a", Name: "a", Major: 1, Classes: []Class{{ID: 0x00010100, App: "a", Retired: true}}}}
	for _, f := range []Format{NFT, IPTables} {
		got, want := printed(t, r, f), printed(t, harmless, f)
		if g, w := strings.Count(got, "\n"), strings.Count(want, "\n"); g != w {
			t.Errorf("%s: %d lines instead of %d", f, g, w)
		}
		for _, c := range []string{`"`, "#", ";", "}", "'"} {
			if g, w := strings.Count(got, c), strings.Count(want, c); g != w {
				t.Errorf("%s: %q is there %d times instead of %d", f, c, g, w)
			}
		}
		if strings.ContainsAny(got, "\\`\x00") || strings.Contains(got, "\u2028") {
			t.Errorf("%s: %s", f, got)
		}
	}
}

func TestLongNamesAreCutInTheMiddle(t *testing.T) {
	long := Team{Cluster: "gra1", Name: "web"}.owner(Class{App: "/" + strings.Repeat("segment/", 60) + "last"})
	if len(long) > maxComment || !strings.HasPrefix(long, "gra1/web app /segment/") || !strings.HasSuffix(long, "/segment/last") {
		t.Errorf("%d bytes: %s", len(long), long)
	}
}

func TestProgramsThatWouldTakeAClassForTheirMark(t *testing.T) {
	for _, test := range []struct {
		id   uint32
		want string // those that are warned of
	}{
		{0x00100100, "Calico"},
		{0x00104100, "kube-proxy Calico"},
		{0x00108100, "kube-proxy Calico"},
		{0x00040100, "Calico Tailscale"},
		{0x01080100, "Calico Tailscale"},
	} {
		r := Rules{Teams: []Team{{Major: uint16(test.id >> 16), Classes: []Class{{ID: test.id}}}}}
		var hit []string
		for _, line := range r.markWarnings() {
			if strings.Contains(line, "1 of 1 classes have them") {
				hit = append(hit, strings.Fields(line)[1])
			}
		}
		if got := strings.Join(hit, " "); got != test.want {
			t.Errorf("%s: %s instead of %s", hex(test.id), got, test.want)
		}
	}
}

func TestWrongRulesAreNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(r *Rules){
		"no name":              func(r *Rules) { r.Name = "" },
		"name of an option":    func(r *Rules) { r.Name = "-x" },
		"name with a blank":    func(r *Rules) { r.Name = "a b" },
		"long name":            func(r *Rules) { r.Name = "abcdefghijklm" },
		"no team":              func(r *Rules) { r.Teams = nil },
		"no class":             func(r *Rules) { r.Teams = r.Teams[:1]; r.Teams[0].Classes = nil },
		"nothing chosen":       func(r *Rules) { r.Count = false },
		"class twice":          func(r *Rules) { r.Teams[0].Classes[1].ID = webDefault },
		"class of another":     func(r *Rules) { r.Teams[0].Classes[1].ID = dataKafka },
		"class 0":              func(r *Rules) { r.Teams[0].Major, r.Teams[0].Classes = 0, []Class{{ID: 0}} },
		"the qdisc":            func(r *Rules) { r.Teams[0].Classes[0].ID = 0x00100000 },
		"no network":           func(r *Rules) { r.DropTo = make([]netip.Prefix, 1) },
		"bits behind a prefix": func(r *Rules) { r.AllowTo = nets("10.0.0.1/8") },
		"IPv4 in IPv6":         func(r *Rules) { r.AllowTo = nets("::ffff:10.0.0.0/104") },
	} {
		r := counting()
		spoil(&r)
		for _, f := range []Format{NFT, IPTables} {
			var b strings.Builder
			if err := r.Print(&b, f); err == nil || b.Len() > 0 {
				t.Errorf("%s: %v, %d bytes", name, err, b.Len())
			}
		}
	}
	if err := counting().Print(new(strings.Builder), "pf"); err == nil {
		t.Error("no such format")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAFailedWriteIsTold(t *testing.T) {
	if err := counting().Print(full{}, NFT); err == nil {
		t.Error("nothing was written")
	}
}
