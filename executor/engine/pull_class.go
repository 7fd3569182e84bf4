package engine

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

// PullError is a failed pull. Its class is found by [errors.Is]: [ErrNotFound], [ErrAuth], [ErrNetwork] or [ErrDisk], or
// none of them. The text names the class and what to do.
type PullError struct {
	Class error // one of the four, nil if the failure is none of these
	Tries int
	Err   error // a *CallError, of the last try

	final bool // another try would fail as well
}

func (e *PullError) Error() string {
	text := e.Err.Error()
	class := "other"
	remedy := "look into the engine's log"
	for _, c := range pullClasses() {
		if c.class == e.Class {
			class, remedy = c.class.Error(), c.remedy
		}
	}
	if e.Tries > 1 {
		class += fmt.Sprintf(", %d tries", e.Tries)
	}
	if errors.As(e.Err, new(*stallError)) {
		return fmt.Sprintf("%s (%s)", text, class)
	}
	return fmt.Sprintf("%s (%s): %s", text, class, remedy)
}

func (e *PullError) Unwrap() []error {
	if e.Class == nil {
		return []error{e.Err}
	}
	return []error{e.Class, e.Err}
}

// pullClass recognizes the failures of one class by what the daemon says.
type pullClass struct {
	class  error
	final  bool // of no use to try again
	remedy string
	signs  []string // in lower case
}

// pullClasses lists the classes in the order in which they are tried: "no space left" beats all that it made fail, and a
// refusal is told in words that would also fit a missing image.
//
// The status is no help: a failure inside the stream has none, and a daemon that doesn't translate its registry's answer
// says 500 (20.10 does so in most cases). The words are those of the daemon (moby's distribution/errors.go,
// daemon/containerd/image_pull.go), of its registry client (distribution's registry/client/errors.go and auth/session.go,
// registry/api/errcode), of containerd's (core/remotes/docker), and of Go's net, net/http and crypto/tls, in the versions that
// Docker 20.10 to 28 are built with.
func pullClasses() []pullClass {
	return []pullClass{
		{ErrDisk, true, "free space or inodes on the disk of the engine's data root (docker system df; df -i)", []string{
			"no space left on device", "disk quota exceeded", "no free inodes", "thin pool has", "read-only file system", "input/output error",
		}},
		{ErrAuth, true, "check the spelling of the image, and the credentials for its registry in the task's .docker/config.json or in config.yaml's registry.config", []string{
			"unauthorized", "authentication required", "no basic auth credentials", "access denied", "access to the resource is denied", "denied:",
			"may require 'docker login'", "may require authorization", "insufficient_scope", "incorrect username or password",
			"invalid_grant", "403 forbidden", "http 401", "http 403", "no token in auth server",
		}},
		{ErrNotFound, true, "check the image's name, tag and platform in the registry", []string{
			"manifest unknown", "name unknown", "not known to registry", "does not exist", "no matching manifest", "blob unknown", "unknown blob",
			"404 not found", "http 404", "not found",
		}},
		{ErrNetwork, false, "check that the registry works and that the engine's host reaches it (name resolution, proxy, firewall, certificates)", []string{
			"connection refused", "connection reset", "broken pipe", "closed network connection", "timeout", "timed out", "deadline exceeded", "request canceled",
			"no route to host", "unreachable", "no such host", "server misbehaving", "name resolution", "dial tcp", "tls:", "x509:", "server gave http response",
			" eof", "stream error", "unexpected http status: 5", "http status: 5", "500 internal server error", "502 bad gateway", "503 service unavailable", "504 gateway",
			"toomanyrequests", "too many requests", "unavailable", "download failed after attempts", "verification failed", "unexpected commit digest", "failed size validation",
		}},
	}
}

// pullError judges the failure of a try.
func pullError(err error, ref string, tries int) *PullError {
	failed := &PullError{Tries: tries, Err: err}
	var stalled *stallError
	var no *DaemonError
	switch {
	case errors.As(err, &stalled):
		failed.final = !stalled.network
		if stalled.network {
			failed.Class = ErrNetwork
		}
	case errors.As(err, &no):
		failed.Class, failed.final = judge(no, ref)
		no.class = failed.Class
	}
	return failed
}

// judge finds the class of a refusal. What nobody knows is tried again, unless the daemon calls the request itself wrong.
func judge(no *DaemonError, ref string) (class error, final bool) {
	said := " " + strings.ToLower(withoutNames(no.Message, ref))
	said = strings.ReplaceAll(said, "permission denied", "") // by a file system as often as by a registry
	for _, c := range pullClasses() {
		for _, sign := range c.signs {
			if strings.Contains(said, sign) {
				return c.class, c.final
			}
		}
	}
	if no.Status == http.StatusNotFound {
		return ErrNotFound, true
	}
	return nil, no.Status >= 400 && no.Status < 500
}

// withoutNames takes URLs and the image's name out of a message: whoever names an image may not name its failures.
func withoutNames(message, ref string) string {
	message = urls().ReplaceAllString(message, " URL ")
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return message
	}
	named = reference.TagNameOnly(named)
	for _, name := range []string{named.String(), reference.FamiliarString(named), named.Name(), reference.FamiliarName(named), reference.Path(named)} {
		message = strings.ReplaceAll(message, name, "IMAGE")
	}
	return message
}

// urls finds the URLs in a message.
func urls() *regexp.Regexp { return regexp.MustCompile(`https?://[^\s"'<>]+`) }

// withoutCredentials takes out of a message what a registry may have put back into it: the credentials (as they are, as in a
// URL and as in an Authorization header), and the queries and users of URLs, which are signatures and tokens where a
// registry redirects to.
func withoutCredentials(message, auth string) string {
	message = urls().ReplaceAllStringFunc(message, func(text string) string {
		text, _, query := strings.Cut(text, "?")
		if scheme, rest, ok := strings.Cut(text, "://"); ok {
			host, path, _ := strings.Cut(rest, "/")
			text = scheme + "://" + host[strings.LastIndexByte(host, '@')+1:]
			if path != "" {
				text += "/" + path
			}
		}
		if query {
			text += "?(not shown)"
		}
		return text
	})
	for _, secret := range secretsOf(auth) {
		message = strings.ReplaceAll(message, secret, "(not shown)")
	}
	return message
}

// secretsOf lists the spellings of what a header X-Registry-Auth keeps secret, the longest first.
func secretsOf(auth string) []string {
	var a registry.AuthConfig
	text, err := base64.URLEncoding.DecodeString(auth)
	if err != nil || json.Unmarshal(text, &a) != nil {
		return nil
	}
	var secrets []string
	if auth != "" {
		secrets = append(secrets, auth)
	}
	if a.Password != "" {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(a.Username+":"+a.Password)))
	}
	for _, one := range []string{a.Password, a.IdentityToken, a.RegistryToken, a.Auth} {
		if one != "" {
			secrets = append(secrets, url.QueryEscape(one), one)
		}
	}
	return secrets
}
