package firewall

import (
	"strings"
	"testing"
	"time"
)

// loadedState is what both tools know of rules, without counters.
func loadedState(t testing.TB) string {
	t.Helper()
	var kept []string
	for _, tool := range []string{"iptables-save", "ip6tables-save"} {
		for line := range strings.Lines(run(t, "", tool)) {
			if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ":") {
				kept = append(kept, line)
			}
		}
	}
	return run(t, "", "nft", "-s", "list", "ruleset") + strings.Join(kept, "")
}

// TestLoadingTwiceIsLoadingOnce: by the commands of the header, which also remove all of it again.
func TestLoadingTwiceIsLoadingOnce(t *testing.T) {
	app := refusing()
	app.Name, app.Whole, app.Reject, app.Count = "abcdefghij12", false, true, false
	long := everything()
	long.Teams[0].Classes[1].App = "/" + strings.Repeat("a-rather-long-name/", 20)
	long.Teams[0].Classes[3].App = "a \"quoted\" \\ name\nof old; } #"
	ipv6 := counting()
	ipv6.AllowTo = nets("fd00::/8", "fd00:1::/32", "::1/128")
	for name, r := range map[string]Rules{"counting": counting(), "everything": everything(), "refusing": refusing(), "app": app, "long": long, "ipv6": ipv6} {
		for _, f := range []Format{NFT, IPTables} {
			t.Run(name+"."+string(f), func(t *testing.T) {
				ownNetwork(t)
				text := printed(t, r, f)
				load(t, text)
				once := loadedState(t)
				if !strings.Contains(once, "mde-"+r.Name) {
					t.Fatalf("nothing was loaded:\n%s", once)
				}
				remove := load(t, text)
				if twice := loadedState(t); twice != once {
					t.Errorf("after the second load\n%s\ninstead of\n%s", twice, once)
				}
				remove()
				if left := loadedState(t); strings.Contains(left, "mde-") {
					t.Errorf("left behind:\n%s", left)
				}
			})
		}
	}
}

// TestTextsOfTwoNamesAreSideBySide: one team's list does not replace another's.
func TestTextsOfTwoNamesAreSideBySide(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			first, second := counting(), refusing()
			second.Name = "second"
			load(t, printed(t, first, f))
			before := loadedState(t)
			load(t, printed(t, second, f))()
			if after := loadedState(t); after != before {
				t.Errorf("%s\ninstead of\n%s", after, before)
			}
		})
	}
}

// TestOthersRulesStay: what is not ours is not touched, with rules that a host may have.
func TestOthersRulesStay(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			run(t, "", "iptables", "-A", "OUTPUT", "-d", "192.0.2.1", "-j", "DROP")
			run(t, "", "iptables", "-N", "DOCKER-USER")
			run(t, "table inet mine { chain c { type filter hook output priority 0; ip daddr 192.0.2.2 drop; }; }", "nft", "-f", "-")
			before := loadedState(t)
			load(t, printed(t, refusing(), f))()
			after := loadedState(t)
			if f == IPTables { // its own builtin chains, empty, for IPv6
				after = strings.ReplaceAll(after, run(t, "", "nft", "list", "table", "ip6", "filter"), "")
				after = strings.ReplaceAll(after, "*filter\nCOMMIT\n", "")
				before = strings.ReplaceAll(before, "*filter\nCOMMIT\n", "")
			}
			if after != before {
				t.Errorf("%s\ninstead of\n%s", after, before)
			}
		})
	}
}

// TestTenThousandClassesLoad: twice, as above. The bound is that of the package's tests, against quadratic behaviour.
func TestTenThousandClassesLoad(t *testing.T) {
	for f, r := range map[Format]Rules{NFT: everything(), IPTables: counting()} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			r.Teams = manyTeams()
			text := printed(t, r, f)
			for range 2 {
				begin := time.Now()
				load(t, text)
				t.Logf("%d KiB in %v", len(text)>>10, time.Since(begin).Round(time.Millisecond))
			}
		})
	}
}
