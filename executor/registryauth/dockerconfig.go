package registryauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/registry"
)

// maxConfig bounds a docker config in bytes: a hundred registries with a key file as password each have some 300 KiB.
const maxConfig = 1 << 20

// Docker Hub in image references, and its key in docker configs (Docker's IndexServer).
const (
	hub    = "docker.io"
	hubKey = "https://index.docker.io/v1/"
)

// dockerConfig is what a docker config says about credentials (docker/cli, cli/config/configfile and .../types).
type dockerConfig struct {
	Auths       map[string]entry  `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers"`
	CredsStore  string            `json:"credsStore"`
}

type entry struct {
	Auth          string `json:"auth"` // base64 of "user:password"
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// parse reads a docker config; legacy is .dockercfg, which holds the entries only. The error shows nothing of the content.
func parse(data []byte, legacy bool) (dockerConfig, error) {
	var config dockerConfig
	var err error
	if legacy {
		err = json.Unmarshal(data, &config.Auths)
	} else {
		err = json.Unmarshal(data, &config)
	}
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return dockerConfig{}, fmt.Errorf("is not valid JSON near byte %d of %d (content not shown)", syntax.Offset, len(data))
	case err != nil:
		return dockerConfig{}, errors.New("is not a docker config: a value has another type than Docker's (content not shown)")
	}
	return config, nil
}

// helper is the name of the helper or store for a registry; "" for none. As with the docker command, an empty name in
// credHelpers switches the store off for a registry (docker/cli, cli/config/configfile, getConfiguredCredentialStore).
func (c dockerConfig) helper(server string) string {
	if name, ok := pick(c.CredHelpers, server); ok {
		return name
	}
	return c.CredsStore
}

// entry returns what auths says about a registry; nil if it says nothing. Empty entries are common: docker login writes them
// beside a credential store.
func (c dockerConfig) entry(server string) (*registry.AuthConfig, error) {
	e, ok := pick(c.Auths, server)
	if !ok || e == (entry{}) {
		return nil, nil
	}
	auth := registry.AuthConfig{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}
	if e.Auth != "" {
		user, password, err := decode(e.Auth)
		if err != nil {
			return nil, err
		}
		auth.Username, auth.Password = user, password
	}
	return &auth, nil
}

// decode reads an entry's "auth" as the docker command does, which also drops zero bytes at the end.
func decode(text string) (user, password string, err error) {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", "", errors.New("auth is not base64 (not shown)")
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok || user == "" {
		return "", "", errors.New("auth is not the base64 of user:password (not shown)")
	}
	return user, strings.Trim(password, "\x00"), nil
}

// serverKey is a registry's name in docker configs, and what helpers are asked for.
func serverKey(server string) string {
	if server == hub {
		return hubKey
	}
	return server
}

// pick finds a registry's value: under its key, else under one that means the same, such as a URL.
func pick[V any](values map[string]V, server string) (V, bool) {
	if v, ok := values[serverKey(server)]; ok {
		return v, true
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if hostOf(key) == server {
			return values[key], true
		}
	}
	var none V
	return none, false
}

// hostOf takes scheme and path off a key of a docker config.
func hostOf(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, _, _ := strings.Cut(key, "/")
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		return hub
	}
	return host
}

// isProgramName reports whether a helper's name makes the name of one file. Which names a task's file may use is up to
// [Source.TaskHelpers], the operator's own file may use any.
func isProgramName(name string) bool { return !strings.ContainsAny(name, "/\x00") }

// shown is a name of a file of the task's for people.
func shown(name string) string {
	const longest = 64
	if len(name) > longest {
		name = name[:longest] + "..."
	}
	return strconv.Quote(name)
}

func join(elements []string) string { return path.Join(elements...) }
