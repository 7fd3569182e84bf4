package engine

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

// PullError is a failed pull. Its class is found by [errors.Is]: [ErrNotFound], [ErrAuth], [ErrNetwork], [ErrDisk] or
// [ErrEngine], or none of them. The text names the class and what to do.
type PullError struct {
	Class error // one of the five, errLimited, or nil if the failure is none of these
	Tries int
	Err   error // a *CallError, of the last try

	final  bool       // another try would fail as well
	before *PullError // of the try before, if the last one only ran out of time
}

func (e *PullError) Error() string {
	text := e.Err.Error()
	if e.before != nil {
		text += "; the try before failed: " + e.before.Err.Error()
	}
	class := "other"
	remedy := "look into the engine's log"
	if e.Class != nil {
		class, remedy = e.Class.Error(), pullRemedy(e.Class)
	}
	if e.Tries > 1 {
		class += fmt.Sprintf(", %d tries", e.Tries)
	}
	if e.before == nil && errors.As(e.Err, new(*stallError)) {
		return fmt.Sprintf("%s (%s)", text, class)
	}
	return fmt.Sprintf("%s (%s): %s", text, class, remedy)
}

func (e *PullError) Unwrap() []error {
	all := []error{e.Err}
	if e.Class != nil {
		all = append(all, e.Class)
	}
	return all
}

// errLimited is a failure of the class [ErrNetwork] that has a name and a remedy of its own: the registry is well, and counts pulls.
var errLimited error = &subclass{"rate limited", ErrNetwork}

// subclass is a class that counts as another one for [errors.Is].
type subclass struct {
	name string
	of   error
}

func (s *subclass) Error() string { return s.name }
func (s *subclass) Unwrap() error { return s.of }

// pullRemedy says what to do about the failures of a class.
func pullRemedy(class error) string {
	switch class {
	case ErrDisk:
		return "free space or inodes on the disk of the engine's data root (docker system df; df -i)"
	case ErrAuth:
		return "check the spelling of the image, and the credentials for its registry in the task's .docker/config.json or in config.yaml's registry.config"
	case ErrNotFound:
		return "check the image's name, tag and platform in the registry"
	case errLimited:
		return "the registry limits pulls: authenticate (the task's .docker/config.json, or config.yaml's registry.config) or use a mirror"
	case ErrEngine:
		return "check that the Docker daemon runs, answers and can unpack images (its log, storage driver and programs)"
	default:
		return "check that the registry works and that the engine's host reaches it (name resolution, proxy, firewall, certificates)"
	}
}

// pullSign tells failures by what the daemon says.
type pullSign struct {
	class error // nil: none of the classes
	final bool  // of no use to try again
	signs *regexp.Regexp
}

// pullSigns lists the signs in the order in which they are tried: what the daemon says of its own disk and of its own programs beats
// all that it made fail, and a refusal is told in words that would also fit a missing image.
//
// The status is no help: a failure inside the stream has none, and a daemon that doesn't translate its registry's answer
// says 500 (20.10 does so in most cases). The words are those of the daemon (moby's distribution/errors.go,
// distribution/pull_v2.go, daemon/containerd/image_pull.go), of its registry client (distribution's
// registry/client/errors.go and auth/session.go, registry/api/errcode), of containerd's (core/remotes/docker), and of Go's os, net,
// net/http and crypto/tls, in the versions that Docker 20.10 to 28 are built with.
//
// A registry's own text comes behind a code ("denied: ...") or a status. So what only the daemon can know, such as a full disk, is
// believed at the beginning of a message, where the daemon's own words are.
var pullSigns = sync.OnceValue(func() []pullSign {
	const disk = `(no space left on device|disk quota exceeded|no free inodes|read-only file system|input/output error)`
	const unpack = `^ (failed to (register|extract|unpack|apply) |error (processing|creating|applying) |mount callback failed )`
	sign := func(class error, final bool, signs ...string) pullSign {
		return pullSign{class, final, regexp.MustCompile("(?i)" + strings.Join(signs, "|"))}
	}
	return []pullSign{
		sign(ErrDisk, true,
			`^ `+disk+`$`, unpack+`.*`+disk, unpack+`.*thin pool has`, `^ devmapper: thin pool has`,
			// Go's PathError, behind no more than what the daemon attempted: "failed to copy: write /x: no space left on device".
			`^ (failed to [^:]*: )*(failed )?[a-z_]+ /[^:]*: `+disk+`(: unknown)?$`),
		sign(ErrEngine, true,
			unpack+`.*(operation not permitted|executable file not found)`, `^ exec: "[^"]*": executable file not found`,
			`^ (failed to [^:]*: )*plugin "[^"]*" not found`),
		sign(nil, true, // the image itself is damaged or of an unknown kind
			unpack+`.*invalid tar header`, `^ (archive/tar: )?invalid tar header`, `^ layers from manifest don't match image configuration`,
			`^ mediatype in manifest should be`, `^ unsupported manifest media type`, `^ missing signature key`),
		sign(ErrNotFound, true,
			`^ image operating system .* cannot be used on this platform`, `no supported platform found in manifest list`, `no matching manifest`),
		// Before the refusals: registries say "toomanyrequests: access denied", and pages of proxies in front of them anything.
		sign(errLimited, false,
			`\btoomanyrequests\b`, `too many requests`, `pull rate limit`, `http 429\b`, `status(:| code) (URL :? *)?429\b`),
		// What a proxy answers to CONNECT is the whole cause (net/http's persistConn): "Get URL: Forbidden".
		sign(ErrNetwork, true, `URL "?:? *(forbidden|proxy authentication required)$`),
		sign(ErrAuth, true,
			`\bunauthorized\b`, `authentication required$`, `no basic auth credentials`, `access denied`, `access to the resource is denied`, `\bdenied: `,
			`may require 'docker login'`, `may require authorization`, `insufficient_scope`, `incorrect username or password`,
			`invalid_grant`, `\b403 forbidden`, `http 40[13]\b`, `status(:| code) (URL :? *)?40[13]\b`, `no token in auth server`),
		sign(ErrNotFound, true,
			`manifest unknown`, `name unknown`, `not known to registry`, `(repository|image)( IMAGE)? does not exist`, `blob unknown`, `unknown blob`,
			`404 not found`, `http 404\b`, `status(:| code) (URL :? *)?404\b`, `^ manifest for .* not found`, `^ repository .* not found`, `: not found$`),
		sign(ErrNetwork, true, `\bx509: `, `certificate signed by unknown authority`, `server gave http response`),
		sign(ErrNetwork, false,
			`connection refused`, `connection reset`, `broken pipe`, `closed network connection`, `timeout`, `timed out`, `deadline exceeded`, `request canceled`,
			`no route to host`, `unreachable`, `no such host`, `server misbehaving`, `name resolution`, `\bdial tcp`, `\btls: `,
			`\beof\b`, `stream error`, `http status: 5`, `status(:| code) (URL :? *)?5`, `500 internal server error`, `502 bad gateway`,
			`503 service unavailable`, `504 gateway`, `unavailable`, `download failed after attempts`,
			`verification failed`, `unexpected commit digest`, `failed size validation`),
	}
})

// pullError judges the failure of a try.
func pullError(err error, ref string, tries int) *PullError {
	failed := &PullError{Tries: tries, Err: err}
	var stalled *stallError
	var no *DaemonError
	var dial *net.OpError
	switch {
	case errors.As(err, &stalled):
		failed.Class, failed.final = stalled.class, stalled.class != ErrNetwork
	case errors.As(err, &no):
		failed.Class, failed.final = judge(no, ref)
		no.class = failed.Class
	case OutcomeOf(err) == Refused && errors.As(err, &dial) && dial.Op == "dial":
		failed.Class = ErrEngine
	}
	return failed
}

// follows keeps the cause of the failure before and its class, if this one is only that PullTotal was over.
func (e *PullError) follows(before *PullError) {
	var stalled *stallError
	if before != nil && errors.As(e.Err, &stalled) && stalled.key == pullTotalKey {
		e.before, e.Class = before, before.Class
	}
}

// judge finds the class of a refusal. What nobody knows is tried again, unless the daemon calls the request itself wrong.
func judge(no *DaemonError, ref string) (class error, final bool) {
	said := " " + withoutNames(strings.TrimSpace(no.Message), ref)
	said = strings.ReplaceAll(said, "permission denied", "") // by a file system as often as by a registry
	for _, one := range pullSigns() {
		if one.signs.MatchString(said) {
			return one.class, one.final
		}
	}
	if no.Status == http.StatusNotFound {
		return ErrNotFound, true
	}
	return nil, no.Status >= 400 && no.Status < 500
}

// withoutNames takes URLs and the image's name out of a message: whoever names an image may not name its failures.
// A name is taken out where it stands as a whole; one that is a mere word, as that of the image "denied", only where the
// daemon puts names.
func withoutNames(message, ref string) string {
	message = urls().ReplaceAllString(message, "URL ")
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return message
	}
	named = reference.TagNameOnly(named)
	for _, name := range []string{named.String(), reference.FamiliarString(named), named.Name(), reference.FamiliarName(named), reference.Path(named)} {
		message = withoutName(message, name)
	}
	return message
}

func withoutName(message, name string) string {
	word := !strings.ContainsAny(name, "/:@")
	var out strings.Builder
	for {
		at := strings.Index(message, name)
		if at < 0 {
			return out.String() + message
		}
		before, after := out.String()+message[:at], message[at+len(name):]
		out.WriteString(message[:at])
		if endsBefore(before) && beginsAfter(after) && (!word || namesNext(before)) {
			out.WriteString("IMAGE")
			message = after
		} else {
			out.WriteString(message[at : at+1])
			message = message[at+1:]
		}
	}
}

// inNames are the characters of references.
const inNames = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:@-"

func endsBefore(text string) bool {
	return text == "" || !strings.ContainsRune(inNames, rune(text[len(text)-1]))
}

// beginsAfter also takes a colon or full stop for the end of a name if nothing or a space follows.
func beginsAfter(text string) bool {
	if text != "" && (text[0] == ':' || text[0] == '.') {
		text = text[1:]
		return text == "" || text[0] == ' '
	}
	return text == "" || !strings.ContainsRune(inNames, rune(text[0]))
}

// namesNext reports whether the daemon says a name next.
func namesNext(text string) bool {
	for _, lead := range []string{`"`, "'", " for ", " repository ", "repository ", " reference ", " image "} {
		if strings.HasSuffix(text, lead) {
			return true
		}
	}
	return false
}

// urls finds the URLs in a message.
var urls = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`https?://[^\s"'<>]+`) })

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
