package firewall

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestEveryCombinationOfFlagsLoads: side by side, some at a time, from names that are as hostile as those of retired apps can be.
func TestEveryCombinationOfFlagsLoads(t *testing.T) {
	drops := [][]string{nil, {"::/0"}}
	allows := [][]string{nil, {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", "::1/128"}}
	texts := map[Format]*strings.Builder{NFT: {}, IPTables: {}}
	random := rand.New(rand.NewPCG(1, 2))
	ownNetwork(t)
	n := 0
	loadAll := func() {
		run(t, texts[NFT].String(), "nft", "-f", "-")
		run(t, texts[IPTables].String(), "iptables-restore", "--noflush")
		run(t, texts[IPTables].String(), "ip6tables-restore", "--noflush")
		run(t, "", "nft", "flush", "ruleset")
		texts[NFT].Reset()
		texts[IPTables].Reset()
	}
	for bits := range 1 << 7 {
		bit := func(i int) bool { return bits>>i&1 == 1 }
		for _, drop := range drops {
			for _, allow := range allows {
				r := Rules{
					Name: fmt.Sprintf("c%d", n), Source: "a\"\n;}\\", Teams: strangeTeams(random), Whole: bit(0),
					Count: bit(1), Mark: bit(2), CTMark: bit(3), Log: bit(4), NFLog: bit(5), Reject: bit(6), Group: 65535,
					DropTo: nets(drop...), AllowTo: nets(allow...),
				}
				if !r.Count && !r.Mark && !r.perConnection() || r.Reject && !r.refuses() {
					continue // there is nothing to write, or nothing else than without Reject
				}
				for f, all := range texts {
					if err := r.Print(all, f); err != nil {
						t.Fatalf("%+v: %v", r, err)
					}
				}
				if n++; n%40 == 0 {
					loadAll()
				}
			}
		}
	}
	loadAll()
}

func strangeTeams(random *rand.Rand) []Team {
	runes := []rune("\"'\\\n\r\t;{}#$*@%`|&<>~!^[]?\x00\x1b\u2028ä🙂a -/:,.()=+_")
	strange := func() string {
		var b strings.Builder
		for range random.IntN(200) {
			b.WriteRune(runes[random.IntN(len(runes))])
		}
		return b.String()
	}
	team := Team{Cluster: strange(), Name: strange(), Major: 0x0010}
	for i := range 2 {
		team.Classes = append(team.Classes, Class{ID: 0x00100100 + uint32(i), App: strange(), Retired: i == 1})
	}
	return []Team{team}
}
