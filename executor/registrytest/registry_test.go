package registrytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func start(t *testing.T) (*Registry, Image) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := Start(t, listener)
	return r, r.Push(t, "team/app", "v1", ocispec.ImageConfig{}, RandomLayer(t, 1000))
}

// get returns status and body; authorization may be empty.
func get(ctx context.Context, t *testing.T, url, authorization string) (int, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func (r *Registry) manifestURL() string { return "http://" + r.Host + "/v2/team/app/manifests/v1" }

func TestPushedImageIsServedAndCounted(t *testing.T) {
	r, image := start(t)
	status, body, err := get(t.Context(), t, r.manifestURL(), "")
	if err != nil || status != 200 || digest.FromString(body).String() != image.Digest {
		t.Errorf("%d %s %v", status, body, err)
	}
	for range 2 {
		_, body, err := get(t.Context(), t, "http://"+r.Host+"/v2/team/app/blobs/"+image.Layers[0], "")
		if err != nil || digest.FromString(body).String() != image.Layers[0] {
			t.Errorf("layer: %d bytes, %v", len(body), err)
		}
	}
	if n := r.Count(image.Layers[0]); n != 2 || len(r.Requests(Blob)) != 2 || len(r.Requests(Manifest)) != 1 {
		t.Errorf("the layer was asked for %d times; %+v", n, r.Requests(Blob))
	}
}

func TestDemandsAreMade(t *testing.T) {
	r, _ := start(t)
	admitted := func(authorization string) bool {
		status, _, err := get(t.Context(), t, r.manifestURL(), authorization)
		if err != nil || status != 200 && status != 401 {
			t.Errorf("%d, %v", status, err)
		}
		return status == 200
	}
	const right, wrong = "Basic d2ViOnJpZ2h0", "Basic d2ViOndyb25n" // web:right, web:wrong
	r.Demand(Login{User: "web", Password: "right"})
	if admitted("") || admitted(wrong) || !admitted(right) {
		t.Error("basic authentication")
	}
	r.Demand(Login{User: "web", Password: "right", Refresh: "again", Bearer: "t0k3n"})
	if admitted(right) || admitted("Bearer other") || !admitted("Bearer t0k3n") {
		t.Error("token authentication")
	}
	for authorization, want := range map[string]int{"": 401, wrong: 401, right: 200} {
		status, body, err := get(t.Context(), t, "http://"+r.Host+"/token?service=registrytest", authorization)
		if err != nil || status != want || strings.Contains(body, "t0k3n") != (want == 200) {
			t.Errorf("token for %q: %d %s %v", authorization, status, body, err)
		}
	}
	answer, err := http.PostForm("http://"+r.Host+"/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"again"}})
	if err != nil || answer.StatusCode != 200 {
		t.Errorf("token for an identity token: %v, %v", answer, err)
	}
	if text := fmt.Sprintf("%+v", append(r.Requests(Manifest), r.Requests(Token)...)); strings.Contains(text, "right") || strings.Contains(text, "t0k3n") {
		t.Error("the notes hold secrets: " + text)
	}
}

func TestFaultsHappenAsOftenAsTold(t *testing.T) {
	r, image := start(t)
	short := func() (int, string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return get(ctx, t, r.manifestURL(), "")
	}
	released := make(chan struct{})
	close(released)
	for _, tc := range []struct {
		name  string
		fault Fault
		seen  func(status int, body string, err error) bool
	}{
		{"stall without a byte", Stall(0), func(status int, _ string, err error) bool {
			return status == 0 && errors.Is(err, context.DeadlineExceeded)
		}},
		{"stall after some", Stall(10), func(status int, body string, err error) bool {
			return status == 200 && len(body) == 10 && errors.Is(err, context.DeadlineExceeded)
		}},
		{"cut without a byte", Cut(0), func(status int, _ string, err error) bool { return status == 0 && errors.Is(err, io.EOF) }},
		{"cut after some", Cut(10), func(status int, body string, err error) bool {
			return status == 200 && len(body) == 10 && errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{"status", Status(503, "UNAVAILABLE", "sick"), func(status int, body string, err error) bool {
			return status == 503 && strings.Contains(body, "sick") && err == nil
		}},
		{"corrupt", Corrupt(), func(status int, body string, err error) bool {
			return status == 200 && err == nil && len(body) > 100 && digest.FromString(body).String() != image.Digest
		}},
		{"held", Hold(make(chan struct{})), func(_ int, _ string, err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"held and released", Hold(released), func(status int, _ string, err error) bool { return status == 200 && err == nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.Break(Manifest, 1, tc.fault)
			if status, body, err := short(); !tc.seen(status, body, err) {
				t.Errorf("%d %q %v", status, body, err)
			}
			if status, _, err := get(t.Context(), t, r.manifestURL(), ""); status != 200 || err != nil {
				t.Errorf("the next request: %d, %v", status, err)
			}
		})
	}
}

func TestCloseEndsStalledAnswers(t *testing.T) {
	r, _ := start(t)
	r.Break(Manifest, -1, Stall(0))
	ended := make(chan error)
	go func() {
		_, _, err := get(t.Context(), t, r.manifestURL(), "")
		ended <- err
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); len(r.Requests(Manifest)) == 0 && time.Now().Before(deadline); {
		<-tick.C
	}
	r.Close()
	if err := <-ended; err == nil {
		t.Error("the stalled request was answered")
	}
}
