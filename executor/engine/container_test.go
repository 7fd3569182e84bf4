package engine

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

func TestConflictsAreTold(t *testing.T) {
	for _, message := range []string{"Container x is not running", "name in use"} {
		text, err := json.Marshal(map[string]string{"message": message})
		if err != nil {
			t.Fatal(err)
		}
		f := startFake(t, say(jsonAnswer(409, string(text))))
		err = openFake(t, f, fakeLimits(10*time.Second)).Signal(t.Context(), someID, "TERM")
		if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", message, err)
		}
	}
}

// A proxy that has lost its daemon answers 404 as well; the container may run.
func TestOnlyTheDaemonsWordsProveThatAContainerIsGone(t *testing.T) {
	for message, gone := range map[string]bool{
		"No such container: x": true,
		"page not found":       false,
		"no such service":      false,
	} {
		e := openFake(t, startFake(t, say(jsonAnswer(404, `{"message":"`+message+`"}`))), fakeLimits(10*time.Second))
		if err := e.Remove(t.Context(), someID); (err == nil) != gone || !gone && OutcomeOf(err) != Unknown {
			t.Errorf("%s: remove: %v", message, err)
		}
		if _, err := e.Inspect(t.Context(), someID); errors.Is(err, ErrNotFound) != gone || !gone && OutcomeOf(err) != Unknown {
			t.Errorf("%s: inspect: %v", message, err)
		}
	}
}

func TestKillHasALimitOfItsOwn(t *testing.T) {
	limits := fakeLimits(50 * time.Millisecond)
	limits.Kill = 60 * time.Millisecond
	e := openFake(t, startFake(t, hang), limits)
	for signal, want := range map[string]time.Duration{
		"SIGKILL": limits.Kill, "KILL": limits.Kill, "9": limits.Kill, "sigkill": limits.Kill, "Kill": limits.Kill, "09": limits.Kill,
		"SIGTERM": limits.Signal, "TERM": limits.Signal, "15": limits.Signal, "99": limits.Signal, "SIGSIGKILL": limits.Signal, "SIG9": limits.Signal,
	} {
		var failed *CallError
		if err := e.Signal(t.Context(), someID, signal); !errors.As(err, &failed) || failed.Limit != want {
			t.Errorf("%s: %v, want a limit of %s", signal, err, want)
		}
	}
}

func TestRemoveWaitsForARemovalInProgress(t *testing.T) {
	const busy = `{"message":"removal of container x is already in progress"}`
	var looks atomic.Int32
	f := startFake(t, func(f *fakeDaemon, conn net.Conn) {
		if looks.Add(1) < 4 {
			say(jsonAnswer(409, busy))(f, conn)
		} else {
			say(jsonAnswer(404, `{"message":"No such container: x"}`))(f, conn)
		}
	})
	if err := openFake(t, f, fakeLimits(10*time.Second)).Remove(t.Context(), someID); err != nil {
		t.Error(err)
	}

	f = startFake(t, say(jsonAnswer(409, busy)))
	err := openFake(t, f, fakeLimits(time.Second)).Remove(t.Context(), someID)
	if !errors.Is(err, ErrConflict) {
		t.Errorf("endless removal: %v", err)
	}
}

func TestCreateLeavesTheCallersStructsAloneAndTheEnvironmentOutOfErrors(t *testing.T) {
	f := startFake(t, say(jsonAnswer(400, `{"message":"invalid environment variable: TOKEN=s3cret"}`)))
	c, h := minimal()
	c.Env = []string{"A=", "TOKEN=s3cret"}
	h.CapAdd = []string{"chown", "kill"}
	_, _, err := openFake(t, f, fakeLimits(10*time.Second)).Create(t.Context(), "name", c, h, nil)
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "TOKEN") {
		t.Errorf("the error should name the variable without its value: %v", err)
	}
	if diff := cmp.Diff([]string{"chown", "kill"}, []string(h.CapAdd)); diff != "" {
		t.Errorf("capabilities changed:\n%s", diff)
	}
}

const inspected = `{
	"Id": "` + someID + `", "Name": "/web", "NewField": {"A": 1},
	"State": {"Status": "exited", "Running": false, "OOMKilled": true, "Pid": 0, "ExitCode": 137, "Error": "",
		"StartedAt": "2026-11-22T02:20:56.307850381Z", "FinishedAt": "0001-01-01T00:00:00Z"},
	"Config": {"Env": ["TOKEN=s3cret"], "env": ["TOKEN=s3cret"], "Labels": {"team": "web"}, "StopSignal": "SIGUSR1"},
	"HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "s3cret"}}, "Memory": 1},
	"NetworkSettings": {"IPAddress": "10.9.9.9", "Networks": {
		"b": {"IPAddress": "172.18.0.2", "GlobalIPv6Address": "fd00::2"}, "a": {"IPAddress": "172.17.0.2"}, "c": null}}
}`

func TestInspectTranslatesAndHidesSecrets(t *testing.T) {
	f := startFake(t, say(jsonAnswer(200, inspected)))
	c, err := openFake(t, f, fakeLimits(10*time.Second)).Inspect(t.Context(), someID)
	if err != nil {
		t.Fatal(err)
	}
	const public = `[{"Config":{"Labels":{"team":"web"},"StopSignal":"SIGUSR1"},` +
		`"HostConfig":{"LogConfig":{"Type":"splunk"},"Memory":1},"Id":"` + someID + `","Name":"/web",` +
		`"NetworkSettings":{"IPAddress":"10.9.9.9","Networks":{"b":{"IPAddress":"172.18.0.2","GlobalIPv6Address":"fd00::2"},"a":{"IPAddress":"172.17.0.2"},"c":null}},` +
		`"NewField":{"A":1},"State":{"Status":"exited","Running":false,"OOMKilled":true,"Pid":0,"ExitCode":137,"Error":"","StartedAt":"2026-11-22T02:20:56.307850381Z","FinishedAt":"0001-01-01T00:00:00Z"}}]`
	want := Container{
		ID: someID, Name: "web", Status: "exited", OOMKilled: true, ExitCode: 137,
		StartedAt: time.Date(2026, 11, 22, 2, 20, 56, 307850381, time.UTC),
		Labels:    map[string]string{"team": "web"}, StopSignal: "SIGUSR1",
		Networks: []Network{{"a", "172.17.0.2", ""}, {"b", "172.18.0.2", "fd00::2"}},
		Raw:      json.RawMessage(public),
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !c.FinishedAt.IsZero() {
		t.Errorf("end time %v of a container that has none", c.FinishedAt)
	}
}

func TestInspectRefusesImplausibleAnswers(t *testing.T) {
	for _, change := range [][2]string{
		{someID, otherID},
		{someID, "0123"},
		{`"Status": "exited"`, `"Status": ""`},
		{`"State": {`, `"state2": {`},
		{`"Config": {"Env"`, `"Config2": {"Env"`},
		{"2026-11-22T02", "yesterday"},
		{`"Pid": 0`, `"Pid": "0"`},
		{`"LogConfig": {"Type": "splunk", "Config": {"splunk-token": "s3cret"}}`, `"LogConfig": 3`},
	} {
		text := strings.Replace(inspected, change[0], change[1], 1)
		f := startFake(t, say(jsonAnswer(200, text)))
		c, err := openFake(t, f, fakeLimits(10*time.Second)).Inspect(t.Context(), someID)
		if err == nil || c.ID != "" {
			t.Errorf("%s -> %s: accepted as %+v", change[0], change[1], c)
		}
	}
}

func TestImageOfContainerWithoutConfiguration(t *testing.T) {
	f := startFake(t, say(jsonAnswer(200, `{"Id":"sha256:`+someID+`"}`)))
	image, err := openFake(t, f, fakeLimits(10*time.Second)).Image(t.Context(), "busybox:local")
	if diff := cmp.Diff(Image{ID: "sha256:" + someID}, image); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestCreateNeedsConfigurations(t *testing.T) {
	f := startFake(t, healthy)
	e := openFake(t, f, fakeLimits(10*time.Second))
	if _, _, err := e.Create(t.Context(), "name", nil, nil, nil); OutcomeOf(err) != Refused {
		t.Error(err)
	}
	if _, _, err := e.Create(t.Context(), "name", &container.Config{}, nil, nil); OutcomeOf(err) != Refused {
		t.Error(err)
	}
}

// TestOptionsThatAnEngineLeavesOutAreErrors: it would mount something else than was reviewed.
func TestOptionsThatAnEngineLeavesOutAreErrors(t *testing.T) {
	part := mount.Mount{Type: mount.TypeVolume, Target: "/v", VolumeOptions: &mount.VolumeOptions{Subpath: "a"}}
	program := mount.Mount{Type: mount.TypeTmpfs, Target: "/t", TmpfsOptions: &mount.TmpfsOptions{Options: [][]string{{"exec"}}}}
	plain := mount.Mount{Type: mount.TypeVolume, Target: "/p", VolumeOptions: &mount.VolumeOptions{NoCopy: true}}
	for _, test := range []struct {
		version string
		mounts  []mount.Mount
		want    string
	}{
		{"1.41", []mount.Mount{plain}, ""},
		{"1.41", []mount.Mount{plain, part}, "volume-subpath at /v requires API v1.45 or later, and the engine has v1.41"},
		{"1.45", []mount.Mount{plain, part}, ""},
		{"1.45", []mount.Mount{program}, "an option of a tmpfs mount at /t requires API v1.46 or later, and the engine has v1.45"},
		{"1.46", []mount.Mount{program}, ""},
	} {
		got := ""
		if err := (&protocol{version: test.version}).knows(test.mounts); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.version, got, test.want)
		}
	}
}

// A message is shortened for people only after the values are hidden: one that lies across the cut would not be found.
func TestValueAcrossTheCutOfALongMessageIsHidden(t *testing.T) {
	secret := strings.Repeat("s3cret", 100)
	filler := strings.Repeat("x", maxMessage-50)
	text, err := json.Marshal(map[string]string{"message": filler + " invalid environment variable: PASSWORD=" + secret})
	if err != nil {
		t.Fatal(err)
	}
	f := startFake(t, say(jsonAnswer(400, string(text))))
	c, h := minimal()
	c.Env = []string{"PASSWORD=" + secret}
	_, _, err = openFake(t, f, fakeLimits(10*time.Second)).Create(t.Context(), "name", c, h, nil)
	if err == nil || strings.Contains(err.Error(), "s3") {
		t.Errorf("the value is shown: %v", err)
	}
	if n := len(err.Error()); n > 2*maxMessage {
		t.Errorf("the message has %d bytes", n)
	}
}
