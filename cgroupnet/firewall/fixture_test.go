package firewall

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// Classes of twoTeams.
const (
	webDefault = 0x00100001
	webFront   = 0x00100100
	webCart    = 0x00100102 // retired
	dataKafka  = 0x00110100
)

func twoTeams() []Team {
	return []Team{
		{Cluster: "gra1", Name: "web", Major: 0x0010, Classes: []Class{
			{ID: webDefault},
			{ID: webFront, App: "/web/front"},
			{ID: 0x00100101, App: "/web/shop"},
			{ID: webCart, App: "/web/cart (2)", Retired: true},
		}},
		{Cluster: "gra1", Name: "data", Major: 0x0011, Classes: []Class{
			{ID: 0x00110001},
			{ID: dataKafka, App: "kafka"},
		}},
	}
}

// manyTeams has 20 teams of 500 classes each.
func manyTeams() []Team {
	var teams []Team
	for i := range 20 {
		t := Team{Cluster: "gra1", Name: fmt.Sprintf("team%d", i), Major: uint16(0x0010 + i)}
		for j := range 500 {
			t.Classes = append(t.Classes, Class{ID: uint32(t.Major)<<16 | uint32(0x100+j), App: fmt.Sprintf("/%s/app%d", t.Name, j)})
		}
		teams = append(teams, t)
	}
	return teams
}

// counting are the rules that the command prints without flags.
func counting() Rules {
	return Rules{Name: "classes", Source: "classes.yaml", Teams: twoTeams(), Whole: true, Count: true, Group: 5}
}

// everything has all rules but those that refuse.
func everything() Rules {
	r := counting()
	r.Mark, r.CTMark, r.Log, r.NFLog = true, true, true, true
	return r
}

// refusing has all rules.
func refusing() Rules {
	r := everything()
	r.DropTo = nets("192.0.2.0/24", "2001:db8::/32")
	r.AllowTo = nets("10.0.0.0/8", "127.0.0.0/8", "fd00::/8")
	return r
}

func nets(words ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, w := range words {
		list = append(list, netip.MustParsePrefix(w))
	}
	return list
}

func printed(t testing.TB, r Rules, f Format) string {
	t.Helper()
	var b strings.Builder
	if err := r.Print(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
