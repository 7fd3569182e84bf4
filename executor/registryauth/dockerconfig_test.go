package registryauth

import (
	"strings"
	"testing"
)

// The file in a sandbox may hold anything; none of it may get into an error.
func FuzzDockerConfig(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"auths": null}`,
		`{"auths": {"r.example": {"auth": "d2ViOmNhbmFyeQ=="}}, "credHelpers": {"r.example": "x"}, "credsStore": "y"}`,
		`{"auths": {"https://index.docker.io/v1/": {"identitytoken": "canary"}}}`,
		`{"https://r.example/v1/": {"auth": "d2ViOmNhbmFyeQ==", "email": "x"}}`,
		`{"auths": {"r.example": {"auth": 1234567}}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, legacy bool) {
		config, err := parse(data, legacy)
		if err == nil {
			_ = config.helper("r.example")
			_, err = config.entry("r.example")
		}
		if err == nil {
			return
		}
		const longest = 120
		said := err.Error()
		if len(said) > longest {
			t.Errorf("%d bytes: %s", len(said), said)
		}
		for word := range strings.FieldsSeq(string(data)) {
			if len(word) > 20 && strings.Contains(said, word) {
				t.Errorf("the error shows the file: %s", said)
			}
		}
	})
}

func TestKeysOfARegistry(t *testing.T) {
	for _, tc := range []struct {
		key, server string
		same        bool
	}{
		{"r.example", "r.example", true},
		{"https://r.example", "r.example", true},
		{"http://r.example/v2/", "r.example", true},
		{"r.example/team", "r.example", true},
		{"r.example:443", "r.example", false},
		{"r.example.evil.example", "r.example", false},
		{"https://r.example@evil.example/", "r.example", false},
		{"evil.example/r.example", "r.example", false},
		{"index.docker.io", "docker.io", true},
		{"docker.io", "docker.io", true},
		{"https://registry-1.docker.io/v2/", "docker.io", true},
		{"notdocker.io", "docker.io", false},
		{"", "r.example", false},
	} {
		if _, same := pick(map[string]int{tc.key: 1}, tc.server); same != tc.same {
			t.Errorf("%q for %s: %v", tc.key, tc.server, same)
		}
	}
}
