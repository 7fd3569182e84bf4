package engine

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestImageCarriesTheDigestThatWasAskedFor(t *testing.T) {
	asked, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	for _, tc := range []struct {
		name, ref, digests string
		missing            bool
	}{
		{"digest", "r.example/app@" + asked, `["r.example/app@` + other + `", "r.example/app@` + asked + `"]`, false},
		{"under another name", "r.example/app@" + asked, `["mirror.example/app@` + asked + `"]`, false},
		{"tag and digest", "r.example/app:v1@" + asked, `["r.example/app@` + asked + `"]`, false},
		{"another digest", "r.example/app@" + asked, `["r.example/app@` + other + `"]`, true},
		{"another digest behind a tag", "r.example/app:v1@" + asked, `["r.example/app@` + other + `"]`, true},
		{"no digests", "r.example/app@" + asked, `null`, true},
		{"no digest asked for", "r.example/app:v1", `null`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := startFake(t, say(jsonAnswer(200, `{"Id":"sha256:1","RepoDigests":`+tc.digests+`}`)))
			image, err := openFake(t, f, fakeLimits(10*time.Second)).Image(t.Context(), tc.ref)
			if errors.Is(err, ErrNotFound) != tc.missing || (err != nil) != tc.missing {
				t.Error(err)
			}
			if err == nil && len(image.RepoDigests) != strings.Count(tc.digests, "@") {
				t.Errorf("%q", image.RepoDigests)
			}
		})
	}
}
