package classes

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// largeFile has 10,000 apps of 60 teams in two clusters, some lines with comments, and an entry of identities for each team.
func largeFile() []byte {
	var b strings.Builder
	b.WriteString("version: 1\ncluster: gra1\nprincipals: {marathon-proxy: {app_id_trusted: true}}\nclusters:\n")
	team := 0
	for _, cluster := range []string{"gra1", "sbg1"} {
		fmt.Fprintf(&b, "  %s:\n    teams:\n", cluster)
		first := team
		for ; team < first+30; team++ {
			fmt.Fprintf(&b, "      team-%d:   # asks for changes by ticket\n        major: 0x%04x\n        apps:\n", team, 0x10+team)
			for app := range 167 {
				fmt.Fprintf(&b, "          /team-%d/shop/service-%d: 0x%04x%04x\n", team, app, 0x10+team, 0x100+app)
			}
			fmt.Fprintf(&b, "        retired: {/team-%d/old: 0x%04x0fff}\n", team, 0x10+team)
		}
		b.WriteString("    identities:\n")
		for t := first; t < team; t++ {
			fmt.Fprintf(&b, "      - {match: {principals: [marathon-proxy], app_ids: [/team-%d/**]}, team: team-%d}\n", t, t)
		}
	}
	return []byte(b.String())
}

var lastOfLarge = Identity{Principal: "marathon-proxy", Role: "web", AppID: "/team-29/shop/service-166", Trusted: true}

// A file of 10,000 apps is read for each task: from the disk to the task's class. "by the library" is one that the YAML library reads
// all of, here for the line ends of Windows.
func BenchmarkLoad10000Apps(b *testing.B) {
	text := string(largeFile())
	for _, c := range []struct{ name, text string }{
		{"as one writes it", text},
		{"by the library", strings.ReplaceAll(text, "\n", "\r\n")},
	} {
		b.Run(c.name, func(b *testing.B) {
			path := write(b, "classes.yaml", c.text, 0o644)
			b.Logf("%d bytes", len(c.text))
			b.ReportAllocs()
			for b.Loop() {
				r, err := Load(path, true)
				if err != nil {
					b.Fatal(err)
				}
				if c, err := r.For(lastOfLarge); err != nil || c.ID != 0x002d01a6 {
					b.Fatal(c, err)
				}
			}
		})
	}
}

func BenchmarkFor(b *testing.B) {
	r, err := Parse("classes.yaml", largeFile())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.For(lastOfLarge); err != nil {
			b.Fatal(err)
		}
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
