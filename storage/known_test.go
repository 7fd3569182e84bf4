package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLastAnswerCountsForAWhile(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := answers(t)["recorded/overlay2-ext4"]
	for age, want := range map[time.Duration][2]bool{
		0: {true, true}, time.Minute: {true, true}, time.Minute + 1: {false, true}, 10 * time.Minute: {false, true},
		10*time.Minute + 1: {false, false}, -time.Second: {false, false},
	} {
		k := Known{Engine: good, At: now.Add(-age)}
		if k.Fresh(now) != want[0] || k.Usable(now) != want[1] {
			t.Errorf("%s old: fresh %t, usable %t", age, k.Fresh(now), k.Usable(now))
		}
	}
	if (Known{}).Usable(now) || (Known{At: now}).Usable(now) {
		t.Error("nothing is known, and it counts")
	}
}

func TestLastAnswerIsWrittenAndRead(t *testing.T) {
	for name, e := range answers(t) {
		k := Known{Engine: e, At: time.Date(2026, 1, 1, 0, 0, 0, 5, time.UTC)}
		text, err := k.Encode()
		if err != nil {
			t.Fatal(err)
		}
		read, err := DecodeKnown(text)
		if name == "handmade/empty" {
			if err == nil {
				t.Error("an empty answer is read")
			}
			continue
		}
		if diff := cmp.Diff(k, read); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for _, bad := range []string{"", "null", "{}", `{"version":2,"driver":"overlay2","docker_root_dir":"/d"}`, `{"version":1}`, `{"version":1,"driver":`, strings.Repeat(" ", maxKnown+1)} {
		if k, err := DecodeKnown([]byte(bad)); err == nil {
			t.Errorf("%.80q is %+v", bad, k)
		}
	}
}
