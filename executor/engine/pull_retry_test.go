package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

func TestPullAgain(t *testing.T) {
	network := &PullError{Class: ErrNetwork}
	for _, tc := range []struct {
		name   string
		tries  int
		failed *PullError
		left   time.Duration
		random float64
		lo, hi time.Duration
		no     bool
	}{
		{"first failure, shortest wait", 1, network, time.Hour, 0, 5 * time.Second, 5 * time.Second, false},
		{"first failure, longest wait", 1, network, time.Hour, 0.999, 14 * time.Second, 15 * time.Second, false},
		{"second failure, shortest wait", 2, network, time.Hour, 0, 20 * time.Second, 20 * time.Second, false},
		{"second failure, longest wait", 2, network, time.Hour, 0.999, 59 * time.Second, time.Minute, false},
		{"rate limit, shortest wait", 1, &PullError{Class: errLimited}, time.Hour, 0, 20 * time.Second, 20 * time.Second, false},
		{"rate limit, longest wait", 1, &PullError{Class: errLimited}, time.Hour, 0.999, 59 * time.Second, time.Minute, false},
		{"rate limit again", 2, &PullError{Class: errLimited}, time.Hour, 0, 20 * time.Second, 20 * time.Second, false},
		{"rate limit for the third time", 3, &PullError{Class: errLimited}, time.Hour, 0, 0, 0, true},
		{"third failure", 3, network, time.Hour, 0, 0, 0, true},
		{"final failure", 1, &PullError{Class: ErrAuth, final: true}, time.Hour, 0, 0, 0, true},
		{"unknown failure", 1, &PullError{}, time.Hour, 0, 5 * time.Second, 5 * time.Second, false},
		{"engine refuses", 1, &PullError{Class: ErrEngine}, time.Hour, 0, 5 * time.Second, 5 * time.Second, false},
		{"engine still refuses", 2, &PullError{Class: ErrEngine}, time.Hour, 0, 0, 0, true},
		{"no time for a try", 1, network, 35 * time.Second, 0, 0, 0, true},
		{"just time for a try", 1, network, 36 * time.Second, 0, 5 * time.Second, 5 * time.Second, false},
		{"no time for the wait", 1, network, 5 * time.Second, 0, 0, 0, true},
		{"total over", 1, network, -time.Second, 0, 0, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wait, again := pullAgain(tc.tries, tc.failed, tc.left, 30*time.Second, tc.random)
			if again == tc.no || again && (wait < tc.lo || wait > tc.hi) {
				t.Errorf("%s, %v", wait, again)
			}
		})
	}
}

// The messages are a daemon's: those of 20.10.24 recorded, those of later ones from the sources named at pullClasses and from
// reports.
func TestClassesOfPullFailures(t *testing.T) {
	const ref = "registry.example:5000/denied/no-such-host:unauthorized"
	for _, tc := range []struct {
		status  int
		message string
		class   error
		final   bool
	}{
		{404, `manifest for registry.example:5000/denied/no-such-host:unauthorized not found: manifest unknown: Unknown manifest`, ErrNotFound, true},
		{404, `repository registry.example:5000/denied/no-such-host not found: name unknown: Unknown name`, ErrNotFound, true},
		{0, `no matching manifest for linux/arm64/v8 in the manifest list entries`, ErrNotFound, true},
		{500, `error parsing HTTP 404 response body: invalid character '<' looking for beginning of value: "<html>"`, ErrNotFound, true},
		{500, `unknown blob`, ErrNotFound, true},
		{404, `failed to resolve reference "registry.example:5000/denied/no-such-host:unauthorized": registry.example:5000/denied/no-such-host:unauthorized: not found`, ErrNotFound, true},
		{404, `something that nobody knows`, ErrNotFound, true},

		{404, `pull access denied for registry.example:5000/denied/no-such-host, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`, ErrAuth, true},
		{500, `Head "https://registry.example:5000/v2/denied/no-such-host/manifests/unauthorized": no basic auth credentials`, ErrAuth, true},
		{500, `Head "https://registry.example:5000/v2/denied/no-such-host/manifests/unauthorized": unauthorized: authentication required`, ErrAuth, true},
		{500, `Get https://registry.example/v2/: unauthorized: incorrect username or password`, ErrAuth, true},
		{0, `error from registry: denied: Your authorization token has expired. Reauthenticate and try again.`, ErrAuth, true},
		{500, `error parsing HTTP 403 response body: no error details found in HTTP response body: "{}"`, ErrAuth, true},
		{500, `failed to resolve reference "r/x:1": failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://r/token: 401 Unauthorized`, ErrAuth, true},
		{500, `failed to resolve reference "r/x:1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed`, ErrAuth, true},

		{500, `Get "https://registry.example:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused`, ErrNetwork, false},
		{500, `Get "https://registry.example:5000/v2/denied/x/manifests/unauthorized": dial tcp: lookup registry.example on 10.0.0.2:53: no such host`, ErrNetwork, false},
		{500, `Get https://registry.example/v2/: net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`, ErrNetwork, false},
		{500, `Get "https://registry.example/v2/": net/http: TLS handshake timeout`, ErrNetwork, false},
		{500, `Get "https://registry.example/v2/": x509: certificate signed by unknown authority`, ErrNetwork, true},
		{500, `Get "https://registry.example:5000/v2/": http: server gave HTTP response to HTTPS client`, ErrNetwork, true},
		{500, `received unexpected HTTP status: 503 Service Unavailable`, ErrNetwork, false},

		{500, `toomanyrequests: You have reached your pull rate limit.`, errLimited, false},
		{429, `toomanyrequests: access denied, retry later`, errLimited, false},
		{0, `error from registry: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit`, errLimited, false},
		{500, "error parsing HTTP 429 response body: invalid character '<' looking for beginning of value: \"<html><h1>Access denied</h1></html>\"", errLimited, false},
		{500, `error parsing HTTP 429 response body: no error details found in HTTP response body: "{}"`, errLimited, false},
		{500, `received unexpected HTTP status: 429 Too Many Requests`, errLimited, false},
		{500, `failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://r/token: 429 Too Many Requests`, errLimited, false},
		{500, `failed to copy: httpReadSeeker: failed open: unexpected status code https://r/v2/x/blobs/sha256:1: 429 `, errLimited, false},
		{500, `error parsing HTTP 403 response body: invalid character '4' looking for beginning of value: "429"`, ErrAuth, true},
		{0, `unexpected EOF`, ErrNetwork, false},
		{0, `EOF`, ErrNetwork, false},
		{0, `read tcp 10.0.0.9:4711->10.0.0.1:443: read: connection reset by peer`, ErrNetwork, false},
		{0, `filesystem layer verification failed for digest sha256:0123`, ErrNetwork, false},
		{500, `failed to authorize: failed to fetch anonymous token: Get "https://auth.docker.io/token?scope=denied": EOF`, ErrNetwork, false},
		{500, `failed to copy: httpReadSeeker: failed open: unexpected status code https://r/v2/x/blobs/sha256:1: 503 Service Unavailable`, ErrNetwork, false},

		{0, `failed to register layer: Error processing tar file(exit status 1): write /file: no space left on device`, ErrDisk, true},
		{0, `write /var/lib/docker/tmp/GetImageBlob123: no space left on device`, ErrDisk, true},
		{0, `failed to register layer: mkdir /x: disk quota exceeded`, ErrDisk, true},
		{0, `open /var/lib/docker/tmp/GetImageBlob123: read-only file system`, ErrDisk, true},

		{0, `failed to copy: failed to send write: write /var/lib/containerd/x/ingest/y: no space left on device: unknown`, ErrDisk, true},
		{0, `failed to register layer: symlink ../a/diff /var/lib/docker/overlay2/l/B: no space left on device`, ErrDisk, true},
		{0, `mkdir /var/lib/docker/overlay2/x: no space left on device`, ErrDisk, true},

		// What a registry says of itself is not the engine's.
		{500, `unauthorized: no space left on device in your quota`, ErrAuth, true},
		{500, `denied: write /x: no space left on device`, ErrAuth, true},
		{500, `toomanyrequests: input/output error`, errLimited, false},
		{0, `error from registry: quota exceeded; denied: you have exceeded`, ErrAuth, true},
		{0, `unexpected status code 401`, ErrAuth, true},
		{500, `unexpected status from HEAD request to https://r/x: 403 Forbidden`, ErrAuth, true},
		{500, `unexpected status from HEAD request to https://r/x: 429 Too Many Requests`, errLimited, false},
		{0, `failed to copy: httpReadSeeker: failed open: unexpected status code https://r/x: 404 Not Found`, ErrNotFound, true},
		{500, `Get "https://r.example/v2/": Forbidden`, ErrNetwork, true},
		{500, `Get "https://r.example/v2/": Proxy Authentication Required`, ErrNetwork, true},
		{500, `Get "https://r.example/v2/": proxyconnect tcp: dial tcp: lookup proxy.corp: no such host`, ErrNetwork, false},
		{500, `Get "https://r.example/v2/": tls: failed to verify certificate: x509: certificate has expired or is not yet valid`, ErrNetwork, true},

		{0, `failed to register layer: exec: "unpigz": executable file not found in $PATH`, ErrEngine, true},
		{500, `plugin "zfs" not found`, ErrEngine, true},
		{0, `failed to register layer: ApplyLayer exit status 1 stdout:  stderr: unlinkat /x: operation not permitted`, ErrEngine, true},
		{0, `failed to extract layer sha256:aa: mount callback failed on /x: failed to unmount target: device or resource busy`, nil, false},
		{0, `failed to register layer: Error processing tar file(exit status 1): unexpected EOF`, ErrNetwork, false},
		{0, `failed to register layer: Error processing tar file(exit status 1): archive/tar: invalid tar header`, nil, true},
		{0, `invalid tar header`, nil, true},
		{500, `mediaType in manifest should be 'x' not 'y'`, nil, true},
		{0, `image operating system "windows" cannot be used on this platform`, ErrNotFound, true},
		{500, `no supported platform found in manifest list`, ErrNotFound, true},

		{0, `open /var/lib/docker/tmp/x: permission denied`, nil, false},
		{500, `layers from manifest don't match image configuration`, nil, true},
		{400, `invalid reference format`, nil, true},
	} {
		t.Run(tc.message, func(t *testing.T) {
			class, final := judge(&DaemonError{Status: tc.status, Message: tc.message}, ref)
			if class != tc.class || final != tc.final {
				t.Errorf("class %v, final %v; want %v, %v", class, final, tc.class, tc.final)
			}
		})
	}
}

// Whoever names an image may neither make a failure look like another nor hide it.
func TestNameOfAnImageDoesNotChangeTheClass(t *testing.T) {
	for _, ref := range []string{"e", "a", "tls", "denied", "not", "found", "r.example/e", "r.example/tls", "r.example/x/denied:manifest", "space:left", "no-space-left-on-device", "eof:unauthorized"} {
		for message, class := range map[string]error{
			"write /var/lib/docker/tmp/GetImageBlob1: no space left on device": ErrDisk,
			"denied: requested access to the resource is denied":               ErrAuth,
			"manifest unknown: manifest unknown":                               ErrNotFound,
			"unexpected EOF":                                                   ErrNetwork,
			"tls: handshake failure":                                           ErrNetwork,
			"manifest for NAME not found: something":                           ErrNotFound,
			"NAME broke":                                                       nil,
			`"NAME": broke`:                                                    nil,
			"repository NAME: broke":                                           nil,
			"pull access denied for NAME, repository does not exist or may require 'docker login': denied: requested access to the resource is denied": ErrAuth,
		} {
			named, err := reference.ParseNormalizedNamed(ref)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{reference.TagNameOnly(named).String(), reference.FamiliarString(reference.TagNameOnly(named))} {
				said := strings.ReplaceAll(message, "NAME", name)
				if got, _ := judge(&DaemonError{Message: said}, ref); got != class {
					t.Errorf("%s: %q has class %v, want %v", ref, said, got, class)
				}
			}
		}
	}
}

func TestPullErrorSaysClassTriesAndRemedy(t *testing.T) {
	call := &CallError{Call: "pull", Outcome: Refused, Err: &DaemonError{Message: "EOF"}}
	for want, failed := range map[string]*PullError{
		"docker pull: the daemon failed: EOF (network, 3 tries): check that the registry works":  {Class: ErrNetwork, Tries: 3, Err: call},
		"docker pull: the daemon failed: EOF (disk): free space":                                 {Class: ErrDisk, Tries: 1, Err: call},
		"docker pull: the daemon failed: EOF (rate limited, 2 tries): the registry limits pulls": {Class: errLimited, Tries: 2, Err: call},
		"docker pull: the daemon failed: EOF (other): look into the engine's log":                {Tries: 1, Err: call},
	} {
		if got := failed.Error(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q...", got, want)
		}
	}
}

// flaky fails as told, then succeeds.
func flaky(failures ...string) (behaviour, *int) {
	asked := new(int)
	return func(f *fakeDaemon, conn net.Conn) {
		f.mu.Lock()
		n := *asked
		*asked++
		f.mu.Unlock()
		if n < len(failures) {
			say(chunked(`{"status":"x"}{"error":"`+failures[n]+`"}`, true))(f, conn)
			return
		}
		say(chunked(`{"status":"x"}`, true))(f, conn)
	}, asked
}

func TestPullIsTriedAgainAfterWhatMayPass(t *testing.T) {
	for _, tc := range []struct {
		name     string
		failures []string
		asked    int
		class    error
	}{
		{"once", []string{"unexpected EOF"}, 2, nil},
		{"network, then something unknown", []string{"connection reset by peer", "out of luck"}, 3, nil},
		{"three times", []string{"EOF", "EOF", "EOF"}, 3, ErrNetwork},
		{"rate limit", []string{"toomanyrequests: access denied", "toomanyrequests: access denied", "toomanyrequests: access denied"}, 3, ErrNetwork},
		{"final after all", []string{"EOF", "manifest unknown"}, 2, ErrNotFound},
		{"not found", []string{"manifest unknown"}, 1, ErrNotFound},
		{"auth", []string{"no basic auth credentials"}, 1, ErrAuth},
		{"disk", []string{"no space left on device"}, 1, ErrDisk},
	} {
		t.Run(tc.name, func(t *testing.T) {
			behave, asked := flaky(tc.failures...)
			e := openFake(t, startFake(t, behave), fakeLimits(10*time.Minute))
			var waits, told []time.Duration
			e.wait = func(_ context.Context, d time.Duration) error {
				waits = append(waits, d)
				return nil
			}
			err := e.Pull(t.Context(), "busybox:local", PullOptions{Retry: func(failed error, wait time.Duration) {
				if !strings.Contains(failed.Error(), tc.failures[len(told)]) {
					t.Errorf("told of %v", failed)
				}
				told = append(told, wait)
			}})
			if (err == nil) != (tc.class == nil) || tc.class != nil && !errors.Is(err, tc.class) {
				t.Errorf("%v", err)
			}
			if *asked != tc.asked || len(waits) != tc.asked-1 || fmt.Sprint(told) != fmt.Sprint(waits) {
				t.Errorf("asked %d times, waited %v, told %v", *asked, waits, told)
			}
		})
	}
}

func TestPullEndsAtOnceWhileItWaitsForTheNextTry(t *testing.T) {
	behave, asked := flaky("EOF", "EOF", "EOF")
	e := openFake(t, startFake(t, behave), fakeLimits(10*time.Minute))
	e.wait = pause
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	err := e.Pull(ctx, "busybox:local", PullOptions{Retry: func(error, time.Duration) { cancel() }})
	if !errors.Is(err, context.Canceled) || *asked != 1 || time.Since(began) > shortestPause {
		t.Errorf("%d tries, %v", *asked, err)
	}
}

func TestPauseLastsAsLongAsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := pause(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestCredentialsOfAPullNeverComeBack(t *testing.T) {
	const password, refresh, bearer = "can/ary+pass", "canary-refresh", "canary-bearer"
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: "u", Password: password, IdentityToken: refresh, RegistryToken: bearer})
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join([]string{
		"denied: you said " + password, refresh, bearer, auth, base64.StdEncoding.EncodeToString([]byte("u:" + password)),
		`Get \"https://u:` + password + `@blobs.example/x?signature=canary&p=can%2Fary%2Bpass\": EOF, or http://a/b?canary`,
	}, " ")
	for name, behave := range map[string]behaviour{
		"in the stream": say(chunked(`{"status":"x"}{"error":"`+said+`"}`, true)),
		"in the answer": say(jsonAnswer(http.StatusInternalServerError, `{"message":"`+said+`"}`)),
	} {
		t.Run(name, func(t *testing.T) {
			e := openFake(t, startFake(t, behave), fakeLimits(10*time.Second))
			err := e.Pull(t.Context(), "busybox:local", PullOptions{Auth: auth})
			var no *DaemonError
			if !errors.Is(err, ErrAuth) || !errors.As(err, &no) {
				t.Fatal(err)
			}
			for _, text := range []string{err.Error(), no.Message, fmt.Sprintf("%+v", err)} {
				if strings.Contains(text, "ary") || !strings.Contains(text, "blobs.example/x") {
					t.Errorf("%s", text)
				}
			}
		})
	}
}
