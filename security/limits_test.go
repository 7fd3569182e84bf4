package security

import (
	"slices"
	"strings"
	"testing"
)

func TestMemory(t *testing.T) {
	const mib = int64(1 << 20)
	unlimited := func(r *Rules) { r.UnlimitedMemory = true }
	tests := []struct {
		name                string
		rules               func(*Rules)
		memory, reservation int64
		rule, says          string
	}{
		{"limit", nil, 64 * mib, 0, "", ""},
		{"limit and request", nil, 64 * mib, 32 * mib, "", ""},
		{"request above the limit", nil, 64 * mib, 65 * mib, "memory.reservation", "above the limit"},
		{"nothing", nil, 0, 0, "memory", "`mem` resource"},
		{"nothing, where no limit is needed", unlimited, 0, 0, "memory", "`mem` resource"},
		{"infinite", nil, 0, 32 * mib, "memory", "infinite `mem`"},
		{"infinite, where it may be", unlimited, 0, 32 * mib, "", ""},
		{"negative", unlimited, -1, 32 * mib, "memory", "`mem` resource"},
		{"negative request", nil, 64 * mib, -1, "memory.reservation", "refused"},
	}
	for _, test := range tests {
		rules := func(r *Rules) {
			if test.rules != nil {
				test.rules(r)
			}
		}
		d := reviewWith(rules, func(s *Spec) { s.Host.Memory, s.Host.MemoryReservation = test.memory, test.reservation })
		if r := d.Rejections(); test.rule != "" {
			if len(r) != 1 || r[0].Rule != test.rule || !strings.Contains(r[0].Message, test.says) {
				t.Errorf("%s: %+v", test.name, r)
			}
			continue
		}
		h := d.Spec.Host
		if d.Rejected() || h.Memory != test.memory || h.MemoryReservation != test.reservation || h.MemorySwap != test.memory {
			t.Errorf("%s: %+v, %v", test.name, h, d.Rejections())
		}
	}
}

func TestShmSizeIsTrimmed(t *testing.T) {
	const mib = int64(1 << 20)
	for _, test := range []struct{ memory, asked, want int64 }{
		{4096 * mib, 0, 0},
		{4096 * mib, 256 * mib, 256 * mib},
		{4096 * mib, 2048 * mib, 1024 * mib},
		{32 * mib, 256 * mib, 32 * mib},
	} {
		d := reviewOf(func(s *Spec) { s.Host.Memory, s.Host.ShmSize = test.memory, test.asked })
		trimmed := false
		says := "shm size " + Bytes(test.asked) + " to " + Bytes(test.want)
		for _, c := range d.Changes() {
			trimmed = trimmed || c.Rule == "shm_size" && c.Action == Trim && c.Value+" to "+c.Now == says
		}
		if d.Rejected() || d.Spec.Host.ShmSize != test.want || trimmed != (test.want < test.asked) {
			t.Errorf("%+v: %d, trimmed %v, %v", test, d.Spec.Host.ShmSize, trimmed, d.Rejections())
		}
	}
	if d := reviewOf(func(s *Spec) { s.Host.ShmSize = -1 }); !d.Rejected() {
		t.Error("a negative size passes")
	}
}

func TestShmSizeSaysWhatLoweredIt(t *testing.T) {
	for want, rules := range map[string]func(*Rules){
		"A /dev/shm of 2 GiB is above the policy's maximum; it is lowered to 1 GiB.":                func(*Rules) {},
		"A /dev/shm of 2 GiB is above the memory limit; it is lowered to 1536 MiB.":                 func(r *Rules) { r.ShmSize = 1 << 40 },
		"A /dev/shm of 2 GiB is above the policy's maximum; it is lowered to the engine's default.": func(r *Rules) { r.ShmSize = 0 },
	} {
		d := reviewWith(rules, func(s *Spec) { s.Host.Memory, s.Host.ShmSize = 1536<<20, 2<<30 })
		said := slices.ContainsFunc(d.Findings, func(f Finding) bool { return f.Message == want })
		if !said {
			t.Errorf("no %q: %+v", want, d.Findings)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", -1: "-1 bytes", 1023: "1023 bytes", 1 << 10: "1 KiB", 1 << 20: "1 MiB", 1536 << 20: "1536 MiB", 2 << 30: "2 GiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestPidsLimitCanOnlyBeLowered(t *testing.T) {
	for asked, want := range map[int64]int64{1: 1, 100: 100, 4096: 4096, 4097: 4096, 0: 4096, -1: 4096} {
		d := reviewOf(func(s *Spec) { s.Host.PidsLimit = &asked })
		if d.Rejected() || *d.Spec.Host.PidsLimit != want {
			t.Errorf("%d: %+v", asked, d)
		}
	}
	if d := reviewWith(func(r *Rules) { r.PidsLimit = 0 }, func(*Spec) {}); !d.Rejected() {
		t.Error("a policy without a pids limit starts containers")
	}
}

func TestCPUQuota(t *testing.T) {
	for _, test := range []struct {
		period, quota int64
		good          bool
	}{
		{0, 0, true}, {100_000, 50_000, true}, {100_000, 1000, true}, {0, -1, true}, {100_000, -1, true},
		{100_000, 0, false}, {100_000, 999, false}, {0, 50_000, false}, {999, 50_000, false}, {1_000_001, 50_000, false}, {0, -2, false}, {5, -1, false},
	} {
		d := reviewOf(func(s *Spec) { s.Host.CPUPeriod, s.Host.CPUQuota = test.period, test.quota })
		if d.Rejected() == test.good {
			t.Errorf("%+v: %v", test, d.Rejections())
		}
	}
}

func TestOOMScore(t *testing.T) {
	for score, good := range map[int]bool{0: true, 1: true, 1000: true, 1001: false, -1: false, -1000: false} {
		d := reviewOf(func(s *Spec) { s.Host.OomScoreAdj = score })
		if d.Rejected() == good {
			t.Errorf("%d: %v", score, d.Rejections())
		}
	}
	no := false
	if d := reviewOf(func(s *Spec) { s.Host.OomKillDisable = &no }); d.Rejected() || d.Spec.Host.OomKillDisable != nil {
		t.Errorf("%+v", d)
	}
}
