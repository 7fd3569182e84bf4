package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const someImage = "sha256:" + someID

func TestImagesOf(t *testing.T) {
	good := `{"Id":"` + someImage + `","ParentId":"sha256:` + otherID + `","RepoTags":["a:1","<none>:<none>"],"RepoDigests":["<none>@<none>","a@sha256:1"],"Size":7,"Containers":-1}`
	for _, tc := range []struct {
		name, answer string
		want         []ListedImage // nil: an error
	}{
		{"empty", `[]`, []ListedImage{}},
		{"named", `[` + good + `]`, []ListedImage{{someImage, []string{"a:1"}, []string{"a@sha256:1"}, 7, "sha256:" + otherID}}},
		{"without a name", `[{"Id":"` + someImage + `","RepoTags":null,"Size":-1}]`, []ListedImage{{ID: someImage}}},
		{"null", `null`, nil},
		{"object", `{}`, nil},
		{"null as entry", `[null]`, nil},
		{"no ID behind a good one", `[` + good + `,{"RepoTags":["b:1"]}]`, nil},
		{"short ID", `[{"Id":"sha256:0123"}]`, nil},
		{"truncated", `[` + good, nil},
	} {
		got, err := imagesOf([]byte(tc.answer))
		if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", tc.name, err, diff)
		}
	}
}

func TestUsesOf(t *testing.T) {
	entry := func(id, image string) string { return fmt.Sprintf(`{"Id":%q,"ImageID":%q}`, id, image) }
	good := entry(someID, someImage)
	for _, tc := range []struct {
		name, answer string
		want         map[string]int // nil: an error
	}{
		{"empty", `[]`, map[string]int{}},
		{"two of one image", `[` + good + `,` + entry(otherID, someImage) + `]`, map[string]int{someImage: 2}},
		{"null", `null`, nil},
		{"null as entry", `[null]`, nil},
		{"no image", `[` + entry(someID, "") + `]`, nil},
		{"image by name", `[` + entry(someID, "busybox") + `]`, nil},
		{"no ID behind a good one", `[` + good + `,` + entry("", someImage) + `]`, nil},
	} {
		got, err := usesOf([]byte(tc.answer))
		if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", tc.name, err, diff)
		}
	}
}

func TestRemovalOfAnImage(t *testing.T) {
	for _, tc := range []struct {
		name, ref string
		status    int
		message   string
		want      Outcome
		cause     error
	}{
		{"gone already", "a:1", 404, "No such image: a:1", Done, nil},
		{"in use", "a:1", 409, "conflict: unable to remove repository reference", Refused, ErrConflict},
		{"a proxy's word", "a:1", 404, "page not found", Unknown, nil},
		{"no reference", "a b", 200, "", Refused, nil},
		{"another path of the API", "../containers/x", 200, "", Refused, nil},
	} {
		f := startFake(t, say(jsonAnswer(tc.status, fmt.Sprintf(`{"message":%q}`, tc.message))))
		err := openFake(t, f, fakeLimits(10*time.Second)).RemoveImage(t.Context(), tc.ref)
		if got := OutcomeOf(err); got != tc.want || tc.cause != nil && !errors.Is(err, tc.cause) {
			t.Errorf("%s: %s, %v", tc.name, got, err)
		}
	}
}
