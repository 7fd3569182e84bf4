package classes

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
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

// loadOnce names the file that a new process of these tests loads, as an executor does.
const loadOnce = "CLASSES_LOAD_ONCE"

func TestMain(m *testing.M) {
	if path := os.Getenv(loadOnce); path != "" {
		if err := loadAndDrop(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// loadAndDrop prints the CPU time of the way from the disk to a task's class in microseconds, and by how many KiB the resident set has
// grown then, and after the registry is dropped.
func loadAndDrop(path string) error {
	debug.FreeOSMemory()
	size, used := resident(), cpuTime()
	err := func() error {
		r, err := Load(path, true)
		if err != nil {
			return err
		}
		if c, err := r.For(lastOfLarge); err != nil || c.ID != 0x002d01a6 {
			return fmt.Errorf("%+v, %w", c, err)
		}
		return nil
	}()
	used = cpuTime() - used
	most := resident()
	debug.FreeOSMemory()
	fmt.Println(used.Microseconds(), most-size, resident()-size)
	return err
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the process' resident set in KiB, from proc_pid_statm(5).
func resident() int {
	var total, pages int
	if data, err := os.ReadFile("/proc/self/statm"); err == nil {
		_, _ = fmt.Sscan(string(data), &total, &pages)
	}
	return pages * os.Getpagesize() / 1024
}

// A file of 10,000 apps is read for each task, by a new process each. "by the library" is one that the YAML library reads all of, here
// for a blank before a colon in each block.
func BenchmarkLoad10000Apps(b *testing.B) {
	text := string(largeFile())
	for _, c := range []struct{ name, text string }{
		{"as one writes it", text},
		{"Windows line ends", strings.ReplaceAll(text, "\n", "\r\n")},
		{"in quotes", regexp.MustCompile(`(?m)^ +(/team-.*): (0x.*)$`).ReplaceAllString(text, `          "$1": "$2"`)},
		{"by the library", regexp.MustCompile(`(/team-[0-9]+/shop/service-0):`).ReplaceAllString(text, `$1 :`)},
	} {
		b.Run(c.name, func(b *testing.B) {
			path := write(b, "classes.yaml", c.text, 0o644)
			var used, most, stays []int
			for b.Loop() {
				child := exec.Command("/proc/self/exe")
				child.Env = []string{loadOnce + "=" + path}
				out, err := child.CombinedOutput()
				var u, m, s int
				if _, scan := fmt.Sscan(string(out), &u, &m, &s); err != nil || scan != nil {
					b.Fatalf("%v, %s", err, out)
				}
				used, most, stays = append(used, u), append(most, m), append(stays, s)
			}
			for _, figures := range [][]int{used, most, stays} {
				slices.Sort(figures)
			}
			middle := len(used) / 2
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(used[middle])/1000, "cpu-ms")
			b.ReportMetric(float64(most[middle]), "loaded-KiB")
			b.ReportMetric(float64(stays[middle]), "dropped-KiB")
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
