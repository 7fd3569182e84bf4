package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scalar is a single value as it stands in the file.
type scalar struct {
	text string
	tag  string // what YAML takes it for: !!str, !!int, !!float, !!bool, !!null, ...
}

func versionSetting(to *int) setting {
	return setting{
		Key: Key{Path: "version", Type: "integer", Default: strconv.Itoa(*to), Allowed: strconv.Itoa(fileVersion), Meaning: "version of the file's format; always needed"},
		set: func(v scalar) error {
			if v.tag != "!!int" || v.text != strconv.Itoa(fileVersion) {
				return fmt.Errorf("%s is not a version that this program reads; it reads version %d", quote(v.text), fileVersion)
			}
			*to = fileVersion
			return nil
		},
	}
}

func stringSetting(to *string, key, allowed string, check func(string) error, meaning string) setting {
	return setting{
		Key: Key{Path: key, Type: "string", Default: *to, Allowed: allowed, Meaning: meaning},
		set: func(v scalar) error {
			if v.tag != "!!str" {
				return fmt.Errorf("%s is not a string; allowed: %s", v.text, allowed)
			}
			if err := check(v.text); err != nil {
				return fmt.Errorf("%w; allowed: %s", err, allowed)
			}
			*to = v.text
			return nil
		},
	}
}

// choiceSetting is one of a few words. YAML may take them for something else,
// as it does with 1.2.
func choiceSetting(to *string, key string, choices []string, meaning string) setting {
	allowed := "`" + strings.Join(choices, "`, `") + "`"
	return setting{
		Key: Key{Path: key, Type: "string", Default: *to, Allowed: allowed, Meaning: meaning},
		set: func(v scalar) error {
			if !slices.Contains(choices, v.text) {
				return fmt.Errorf("%s is not possible; allowed: %s", quote(v.text), allowed)
			}
			*to = v.text
			return nil
		},
	}
}

func booleanSetting(to *bool, key, meaning string) setting {
	const allowed = "`true`, `false`"
	return setting{
		Key: Key{Path: key, Type: "boolean", Default: strconv.FormatBool(*to), Allowed: allowed, Meaning: meaning},
		set: func(v scalar) error {
			if v.tag != "!!bool" {
				return fmt.Errorf("%s is not a boolean; allowed: %s", quote(v.text), allowed)
			}
			// YAML 1.2 has True and TRUE too.
			*to = strings.EqualFold(v.text, "true")
			return nil
		},
	}
}

// durationSetting is a duration in Go's notation, lo <= value <= hi.
func durationSetting(to *time.Duration, key string, lo, hi time.Duration, meaning string) setting {
	allowed := shortDuration(lo) + " to " + shortDuration(hi)
	return setting{
		Key: Key{Path: key, Type: "duration", Default: shortDuration(*to), Allowed: allowed, Meaning: meaning},
		set: func(v scalar) error {
			if v.tag == "!!int" || v.tag == "!!float" {
				return fmt.Errorf("%s has no unit; write %ss for seconds (units: ms, s, m, h); allowed: %s", v.text, v.text, allowed)
			}
			d, err := time.ParseDuration(v.text)
			if err != nil || v.tag != "!!str" {
				return fmt.Errorf("%s is not a duration such as 2s or 1m30s (units: ms, s, m, h); allowed: %s", quote(v.text), allowed)
			}
			if d < lo || d > hi {
				return fmt.Errorf("%s is out of range; allowed: %s", v.text, allowed)
			}
			*to = d
			return nil
		},
	}
}

// integerSetting is a whole number, lo <= value <= hi.
func integerSetting(to *int, key string, lo, hi int, meaning string) setting {
	allowed := fmt.Sprintf("%d to %d", lo, hi)
	return setting{
		Key: Key{Path: key, Type: "integer", Default: strconv.Itoa(*to), Allowed: allowed, Meaning: meaning},
		set: func(v scalar) error {
			n, err := strconv.Atoi(v.text)
			if err != nil || v.tag != "!!int" {
				return fmt.Errorf("%s is not a whole number; allowed: %s", quote(v.text), allowed)
			}
			if n < lo || n > hi {
				return fmt.Errorf("%s is out of range; allowed: %s", v.text, allowed)
			}
			*to = n
			return nil
		},
	}
}

func levelSetting(to *slog.Level, key, meaning string) setting {
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	name := func(l slog.Level) string { return strings.ToLower(l.String()) }
	const allowed = "`debug`, `info`, `warn`, `error`"
	return setting{
		Key: Key{Path: key, Type: "string", Default: name(*to), Allowed: allowed, Meaning: meaning},
		set: func(v scalar) error {
			i := slices.IndexFunc(levels, func(l slog.Level) bool { return name(l) == v.text })
			if i < 0 {
				return fmt.Errorf("%s is not a log level; allowed: %s", quote(v.text), allowed)
			}
			*to = levels[i]
			return nil
		},
	}
}

// shortDuration is d.String without the zero units at the end: 2m, not 2m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// checkEngineHost accepts Unix sockets only: whoever reaches the engine is root
// on the host, and a TCP address would be open to more than root.
func checkEngineHost(host string) error {
	socket, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return fmt.Errorf("%s does not begin with unix://", quote(host))
	}
	return checkSocketPath(socket)
}

func checkPinnedEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	_, err := parseEndpoint(endpoint)
	return err
}

// checkDefaultDNS checks the form only; the translation of tasks knows the
// fields, and no task starts with one that it does not take.
func checkDefaultDNS(text string) error {
	if text == "" {
		return nil
	}
	return checkJSONObject(text)
}

func checkPinnedPath(p string) error {
	if p == "" {
		return nil
	}
	return checkFolder(p)
}

func checkPinnedSocket(p string) error {
	if p == "" {
		return nil
	}
	if _, err := agentSocket(p); err != nil {
		return err
	}
	return checkPath(p)
}

// checkServerName accepts what certificates are made out to.
func checkServerName(name string) error {
	if name == "" {
		return nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$`).MatchString(name) {
		return fmt.Errorf("%s is neither a host name nor an IP address", quote(name))
	}
	return nil
}

// checkNamePrefix keeps containers of custom mode out of the Docker
// containerizer's hands: at its start it takes every container whose name
// begins with "mesos-" for its own and stops those it does not know (parse and
// recover in src/slave/containerizer/docker.cpp).
func checkNamePrefix(prefix string) error {
	if !regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,31}$`).MatchString(prefix) {
		return fmt.Errorf("%s cannot begin the name of a container", quote(prefix))
	}
	if strings.HasPrefix(prefix+"-", dockerNamePrefix) {
		return fmt.Errorf("%s would make names that the agent's Docker containerizer takes for its own", quote(prefix))
	}
	return nil
}

// checkCgroupRoot keeps out of the agent's own cgroups: its Linux launcher
// takes every cgroup below --cgroups_root, "mesos" by default, for a container
// and destroys those it does not know (recover in
// src/slave/containerizer/mesos/linux_launcher.cpp).
func checkCgroupRoot(root string) error {
	if err := checkFolder(root); err != nil {
		return err
	}
	if root == "/mesos" || strings.HasPrefix(root, "/mesos/") {
		return fmt.Errorf("%s is the agent's, which destroys cgroups there that it does not know", quote(root))
	}
	// Docker takes a parent with this suffix for a systemd slice.
	if strings.HasSuffix(path.Base(root), ".slice") {
		return fmt.Errorf("%s would be taken for a systemd slice", quote(root))
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9/_.-]{1,200}$`).MatchString(root) {
		return errors.New(quote(root) + " has more than letters, digits, _, . and -, or is longer than 200 bytes")
	}
	return nil
}
