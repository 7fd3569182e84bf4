package engine

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestListAsksForTheLabelInEveryState(t *testing.T) {
	const entry = `{"Id":"` + someID + `","Names":["/web"],"Image":"busybox","Labels":{"team":"web","a":"b"},"State":"exited","Status":"Exited (0)"}`
	var query string
	f := startFake(t, nil)
	f.become(func(f *fakeDaemon, conn net.Conn) {
		var r *http.Request
		if r = f.readRequest(conn); r != nil {
			query = r.URL.Query().Encode()
			io.WriteString(conn, jsonAnswer(200, "["+entry+"]")) //nolint:errcheck // the client may be gone
		}
	})
	got, err := openFake(t, f, fakeLimits(10*time.Second)).List(t.Context(), "team=web")
	want := []Listed{{ID: someID, Names: []string{"web"}, Labels: map[string]string{"team": "web", "a": "b"}, State: "exited"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if want := "all=1&filters=%7B%22label%22%3A%7B%22team%3Dweb%22%3Atrue%7D%7D"; query != want {
		t.Errorf("query %s, want %s", query, want)
	}
}

func TestListOf(t *testing.T) {
	entry := func(id, labels string) string {
		return fmt.Sprintf(`{"Id":%q,"Names":["/web"],"Labels":%s,"State":"running"}`, id, labels)
	}
	good := entry(someID, `{"team":"web"}`)
	for _, tc := range []struct {
		name, answer, label string
		count               int // -1: an error
	}{
		{"empty", `[]`, "team", 0},
		{"key", `[` + good + `]`, "team", 1},
		{"key and value", `[` + good + `,` + entry(otherID, `{"team":"web"}`) + `]`, "team=web", 2},
		{"value with an equals sign", `[` + entry(someID, `{"team":"a=b"}`) + `]`, "team=a=b", 1},
		{"object", `{}`, "team", -1},
		{"null", `null`, "team", -1},
		{"null as entry", `[null]`, "team", -1},
		{"message", `{"message":"x"}`, "team", -1},
		{"nothing", ``, "team", -1},
		{"truncated", `[` + good, "team", -1},
		{"two answers", `[][]`, "team", -1},
		{"no ID", `[{"Labels":{"team":"web"},"State":"running"}]`, "team", -1},
		{"short ID behind a good one", `[` + good + `,` + entry("0123", `{"team":"web"}`) + `]`, "team", -1},
		{"another label", `[` + entry(someID, `{"app":"web"}`) + `]`, "team", -1},
		{"another value", `[` + good + `]`, "team=batch", -1},
		{"no labels", `[` + entry(someID, `null`) + `]`, "team", -1},
		{"no state", `[` + strings.Replace(good, "running", "", 1) + `]`, "team", -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := listOf([]byte(tc.answer), tc.label)
			if (err != nil) != (tc.count < 0) || err == nil && len(got) != tc.count {
				t.Errorf("%d entries, %v", len(got), err)
			}
		})
	}
}

func TestListWithoutAKeyReachesNobody(t *testing.T) {
	f := startFake(t, say(jsonAnswer(200, `[]`)))
	e := openFake(t, f, fakeLimits(10*time.Second))
	asked := len(f.requests())
	for _, label := range []string{"", "=web"} {
		if _, err := e.List(t.Context(), label); OutcomeOf(err) != Refused {
			t.Errorf("%q: %v", label, err)
		}
	}
	if n := len(f.requests()); n != asked {
		t.Errorf("the daemon got %q", f.requests()[asked:])
	}
}
