package registryauth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

// Source says where credentials may come from.
type Source struct {
	// Sandbox is the host path of the task's sandbox, without symlinks; "" for none.
	Sandbox string
	// HostConfig is the absolute path of a docker config of the operator; "" for none.
	HostConfig string
	// TaskHelpers are the credential helpers that a file in the sandbox may name: "ecr-login" for docker-credential-ecr-login.
	TaskHelpers []string
	// HelperLimit is how long a credential helper may take.
	HelperLimit time.Duration

	helperPath string // PATH of helpers, for tests; "" is defaultHelperPath
}

// Found is the result of a look-up.
type Found struct {
	Header Header
	From   string   // where the credentials are from; "" if there are none
	Notes  []string // what could not be used, and why
}

// Header is the value of X-Registry-Auth in Docker's API, "" for an anonymous pull. It is secret, and prints as such.
type Header string

const notShown = "(not shown)"

func (Header) String() string       { return notShown }
func (Header) GoString() string     { return notShown }
func (Header) LogValue() slog.Value { return slog.StringValue(notShown) }

// Lookup returns the credentials for the registry of an image. The first file with an entry for it counts: the sandbox's
// .docker/config.json, its .dockercfg, the operator's. Within a file that is the entry of credHelpers, then credsStore, then auths.
func (s Source) Lookup(ctx context.Context, image string) Found {
	var found Found
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		found.note("%q has no registry: %v", image, err)
		return found
	}
	server := reference.Domain(named)
	for _, f := range s.files() {
		data, err := f.read()
		if errors.Is(err, fs.ErrNotExist) && f.optional {
			continue
		}
		var config dockerConfig
		if err == nil {
			config, err = parse(data, f.legacy)
		}
		if err != nil {
			found.note("%s: %v", f.name, err)
			continue
		}
		auth, from := s.search(ctx, f, config, server, &found)
		if auth == nil {
			continue
		}
		if found.Header, err = encode(*auth, server); err != nil {
			found.note("%s: the entry for %s cannot be used", f.name, server)
			continue
		}
		found.From = from
		return found
	}
	return found
}

func (f *Found) note(format string, args ...any) {
	f.Notes = append(f.Notes, fmt.Sprintf(format, args...))
}

// file is a docker config.
type file struct {
	name     string // for people
	read     func() ([]byte, error)
	optional bool                      // may be missing
	legacy   bool                      // .dockercfg
	refuse   func(helper string) error // nil error: the helper may run
}

func (s Source) files() []file {
	var all []file
	if s.Sandbox != "" {
		for _, one := range []struct {
			path   []string
			legacy bool
		}{{[]string{".docker", "config.json"}, false}, {[]string{".dockercfg"}, true}} {
			all = append(all, file{
				name:     "the sandbox's " + join(one.path),
				read:     func() ([]byte, error) { return readSandboxFile(s.Sandbox, one.path) },
				optional: true,
				legacy:   one.legacy,
				refuse:   s.refuseToTask,
			})
		}
	}
	if s.HostConfig != "" {
		all = append(all, file{
			name:   s.HostConfig,
			read:   func() ([]byte, error) { return readHostFile(s.HostConfig) },
			refuse: func(string) error { return nil },
		})
	}
	return all
}

func (s Source) refuseToTask(helper string) error {
	if slices.Contains(s.TaskHelpers, helper) {
		return nil
	}
	return errors.New("a task's file may not run it, as it would lend the host's identity; put the credentials themselves under auths, or have the operator add it to config.yaml's registry.task_helpers")
}

// search looks for an entry in one file; nil if there is none that can be used.
func (s Source) search(ctx context.Context, f file, config dockerConfig, server string, found *Found) (*registry.AuthConfig, string) {
	if helper := config.helper(server); helper != "" {
		auth, err := s.ask(ctx, f, helper, serverKey(server))
		switch {
		case err != nil:
			found.note("%s: credential helper %s: %v", f.name, shown(helper), err)
		case auth != nil:
			return auth, fmt.Sprintf("%s (credential helper %s)", f.name, helper)
		}
	}
	auth, err := config.entry(server)
	if err != nil {
		found.note("%s: the entry for %s: %v", f.name, server, err)
	}
	return auth, f.name
}

// ask runs a helper if it may; nil without an error if it has no credentials for the registry.
func (s Source) ask(ctx context.Context, f file, name, key string) (*registry.AuthConfig, error) {
	if !isProgramName(name) {
		return nil, errors.New("this is no name of a helper, but a path")
	}
	if err := f.refuse(name); err != nil {
		return nil, err
	}
	h := helper{name: name, path: s.helperPath, limit: s.HelperLimit}
	return h.get(ctx, key)
}

// encode makes the header; the daemon takes it as a whole, so the server's name is part of it as with the docker command.
func encode(auth registry.AuthConfig, server string) (Header, error) {
	auth.ServerAddress = serverKey(server)
	text, err := registry.EncodeAuthConfig(auth)
	return Header(text), err
}
