package registryauth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// canary is in every secret of these tests; it may be in headers only.
const canary = "canary"

// place is a sandbox and an operator's folder.
type place struct {
	t *testing.T
	Source
	host string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	checkLeaks(t)
	p := &place{t: t, host: t.TempDir()}
	p.Source = Source{Sandbox: t.TempDir(), HelperLimit: 10 * time.Second, helperPath: t.TempDir()}
	return p
}

func (p *place) write(path, content string, mode os.FileMode) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) sandboxConfig(content string) {
	p.write(filepath.Join(p.Sandbox, ".docker", "config.json"), content, 0o644)
}

func (p *place) hostConfig(content string) {
	p.HostConfig = filepath.Join(p.host, "config.json")
	p.write(p.HostConfig, content, 0o600)
}

// helper makes a credential helper out of a shell script.
func (p *place) helper(name, script string) {
	p.write(filepath.Join(p.helperPath, "docker-credential-"+name), "#!/bin/sh\n"+script+"\n", 0o755)
}

func (p *place) lookup(image string) (registry.AuthConfig, Found) {
	p.t.Helper()
	found := p.Lookup(p.t.Context(), image)
	if text := fmt.Sprintf("%v %+v %#v %s", found, found, found, strings.Join(found.Notes, found.From)); strings.Contains(text, canary) {
		p.t.Errorf("the secret shows: %s", text)
	}
	if found.Header == "" {
		return registry.AuthConfig{}, found
	}
	text, err := base64.URLEncoding.DecodeString(string(found.Header))
	var auth registry.AuthConfig
	if err != nil || json.Unmarshal(text, &auth) != nil {
		p.t.Fatalf("header %q", string(found.Header))
	}
	return auth, found
}

func basic(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestEntriesOfADockerConfig(t *testing.T) {
	const other = `"other.example": {"auth": "b3RoZXI6b3RoZXI="}`
	for _, tc := range []struct {
		name, image, config string
		want                registry.AuthConfig
		note                string
	}{
		{"auth", "r.example/team/app:1", `{"auths": {` + other + `, "r.example": {"auth": "` + basic("web:canary:with:colons") + `"}}}`,
			registry.AuthConfig{Username: "web", Password: "canary:with:colons", ServerAddress: "r.example"}, ""},
		{"port", "r.example:5000/app", `{"auths": {"r.example": {"auth": "eDp5"}, "r.example:5000": {"auth": "` + basic("web:canary") + `"}}}`,
			registry.AuthConfig{Username: "web", Password: "canary", ServerAddress: "r.example:5000"}, ""},
		{"key is a URL", "r.example/app", `{"auths": {"https://r.example/v1/": {"auth": "` + basic("web:canary") + `"}}}`,
			registry.AuthConfig{Username: "web", Password: "canary", ServerAddress: "r.example"}, ""},
		{"Docker Hub", "busybox", `{"auths": {"https://index.docker.io/v1/": {"auth": "` + basic("web:canary") + `"}}}`,
			registry.AuthConfig{Username: "web", Password: "canary", ServerAddress: "https://index.docker.io/v1/"}, ""},
		{"Docker Hub by another name", "docker.io/team/app", `{"auths": {"docker.io": {"auth": "` + basic("web:canary") + `"}}}`,
			registry.AuthConfig{Username: "web", Password: "canary", ServerAddress: "https://index.docker.io/v1/"}, ""},
		{"user and password in the clear", "r.example/app", `{"auths": {"r.example": {"username": "web", "password": "canary"}}}`,
			registry.AuthConfig{Username: "web", Password: "canary", ServerAddress: "r.example"}, ""},
		{"identity token", "r.example/app", `{"auths": {"r.example": {"identitytoken": "canary"}}}`,
			registry.AuthConfig{IdentityToken: "canary", ServerAddress: "r.example"}, ""},
		{"registry token", "r.example/app", `{"auths": {"r.example": {"registrytoken": "canary"}}}`,
			registry.AuthConfig{RegistryToken: "canary", ServerAddress: "r.example"}, ""},
		{"image by digest", "r.example/app@sha256:" + strings.Repeat("0", 64), `{"auths": {"r.example": {"registrytoken": "canary"}}}`,
			registry.AuthConfig{RegistryToken: "canary", ServerAddress: "r.example"}, ""},
		{"nothing for the registry", "r.example/app", `{"auths": {` + other + `}}`, registry.AuthConfig{}, ""},
		{"empty entry", "r.example/app", `{"auths": {"r.example": {}}}`, registry.AuthConfig{}, ""},
		{"empty file", "r.example/app", ``, registry.AuthConfig{}, "is not valid JSON near byte 0 of 0"},
		{"no JSON", "r.example/app", `{"auths": canary}`, registry.AuthConfig{}, "is not valid JSON near byte"},
		{"more than JSON", "r.example/app", `{} canary`, registry.AuthConfig{}, "is not valid JSON near byte"},
		{"another type", "r.example/app", `{"auths": {"r.example": "canary"}}`, registry.AuthConfig{}, "another type"},
		{"bad base64", "r.example/app", `{"auths": {"r.example": {"auth": "canary!"}}}`, registry.AuthConfig{}, "auth is not base64"},
		{"no colon", "r.example/app", `{"auths": {"r.example": {"auth": "` + basic("canary") + `"}}}`, registry.AuthConfig{}, "user:password"},
		{"too large", "r.example/app", `{"a": "` + strings.Repeat("x", maxConfig) + `"}`, registry.AuthConfig{}, "larger than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			p.sandboxConfig(tc.config)
			got, found := p.lookup(tc.image)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if (found.From != "") != (tc.want != registry.AuthConfig{}) || (len(found.Notes) > 0) != (tc.note != "") || !strings.Contains(strings.Join(found.Notes, ""), tc.note) {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestTheFirstFileWithAnEntryCounts(t *testing.T) {
	of := func(who, registry string) string {
		return fmt.Sprintf(`{"auths": {%q: {"username": %q, "password": "canary"}}}`, registry, who)
	}
	p := newPlace(t)
	p.hostConfig(of("host", "r.example"))
	want := func(user, from string) {
		t.Helper()
		if got, found := p.lookup("r.example/app"); got.Username != user || found.From != from || len(found.Notes) > 0 {
			t.Errorf("user %q from %q, notes %q", got.Username, found.From, found.Notes)
		}
	}
	want("host", p.HostConfig)
	p.write(filepath.Join(p.Sandbox, ".dockercfg"), `{"https://r.example/v1/": {"auth": "`+basic("legacy:canary")+`", "email": "x"}}`, 0o644)
	want("legacy", "the sandbox's .dockercfg")
	p.sandboxConfig(of("task", "other.example"))
	want("legacy", "the sandbox's .dockercfg")
	p.sandboxConfig(of("task", "r.example"))
	want("task", "the sandbox's .docker/config.json")
	p.Sandbox = ""
	want("host", p.HostConfig)
	p.HostConfig = ""
	want("", "")
}

func TestNothingIsReadThatTheTaskDoesNotOwn(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	content := `{"auths": {"r.example": {"username": "root", "password": "canary"}}}`
	for _, tc := range []struct {
		name string
		make func(p *place, config string) error
		note string
	}{
		{"symlink", func(_ *place, config string) error { return os.Symlink(secret, config) }, "symlink"},
		{"symlink that leads nowhere", func(_ *place, config string) error { return os.Symlink("/nowhere", config) }, "symlink"},
		{"hard link", func(_ *place, config string) error { return os.Link(secret, config) }, "hard link"},
		{"FIFO", func(_ *place, config string) error { return unix.Mkfifo(config, 0o644) }, "not a regular file"},
		{"device", func(_ *place, config string) error {
			return unix.Mknod(config, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5)))
		}, "not a regular file"},
		// The attempt to open it would say "no such device or address".
		{"device without a driver", func(_ *place, config string) error {
			return unix.Mknod(config, unix.S_IFCHR|0o644, int(unix.Mkdev(231, 77)))
		}, "not a regular file"},
		{"folder", func(_ *place, config string) error { return os.Mkdir(config, 0o755) }, "not a regular file"},
		{"folder above is a symlink", func(p *place, config string) error {
			if err := os.Remove(filepath.Dir(config)); err != nil {
				return err
			}
			elsewhere := filepath.Join(p.host, "x")
			p.write(filepath.Join(elsewhere, "config.json"), content, 0o600)
			return os.Symlink(elsewhere, filepath.Dir(config))
		}, "symlink"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			p.write(secret, content, 0o600)
			config := filepath.Join(p.Sandbox, ".docker", "config.json")
			if err := os.MkdirAll(filepath.Dir(config), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tc.make(p, config); err != nil {
				t.Fatal(err)
			}
			_, found := p.lookup("r.example/app")
			if found.Header != "" || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], tc.note) {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestTheOperatorsFileMustBeRoots(t *testing.T) {
	const content = `{"auths": {"r.example": {"username": "root", "password": "canary"}}}`
	for _, tc := range []struct {
		name string
		make func(path string) error
		note string
	}{
		{"missing", os.Remove, "cannot be opened"},
		{"somebody else's", func(path string) error { return os.Chown(path, 1000, 0) }, "belongs to user 1000"},
		{"writable by others", func(path string) error { return os.Chmod(path, 0o666) }, "mode 0666"},
		{"symlink", func(path string) error {
			if err := os.Rename(path, path+".real"); err != nil {
				return err
			}
			return os.Symlink(path+".real", path)
		}, "symlink"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			p.hostConfig(content)
			if err := tc.make(p.HostConfig); err != nil {
				t.Fatal(err)
			}
			_, found := p.lookup("r.example/app")
			if found.Header != "" || len(found.Notes) != 1 || !strings.Contains(found.Notes[0], tc.note) {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestHeaderIsNotShown(t *testing.T) {
	var log strings.Builder
	h := Header(canary)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "header", h)
	if text := fmt.Sprintf("%v %s %+v %#v %q", h, h, h, h, h) + log.String(); strings.Contains(text, canary) {
		t.Error(text)
	}
}
