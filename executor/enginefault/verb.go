package enginefault

import (
	"net/http"
	"strings"
)

// Verb is a kind of call to the engine.
type Verb string

// The verbs. A rule for Any matches every call, also those of no other verb.
const (
	Ping    Verb = "ping"
	Version Verb = "version"
	Info    Verb = "info"
	Image   Verb = "image" // inspection of an image
	Pull    Verb = "pull"
	Create  Verb = "create"
	Attach  Verb = "attach"
	Wait    Verb = "wait"
	Start   Verb = "start"
	Inspect Verb = "inspect"
	Kill    Verb = "kill" // any signal to a container
	Remove  Verb = "remove"
	List    Verb = "list"
	Logs    Verb = "logs"
	Any     Verb = "any"

	other Verb = "other" // in events only
)

// Verbs lists all verbs that a rule can name, roughly in the order in which a task's life meets them.
func Verbs() []Verb {
	return []Verb{Ping, Version, Info, Image, Pull, Create, Attach, Wait, Start, Inspect, Kill, Remove, List, Logs, Any}
}

// verbOf tells what a request is about, by the paths of the Docker Engine API.
func verbOf(r *http.Request) Verb {
	resource, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if version, ok := strings.CutPrefix(resource, "v"); ok && isVersion(version) {
		resource, rest, _ = strings.Cut(rest, "/")
	}
	switch resource {
	case "_ping":
		return Ping
	case "version":
		return Version
	case "info":
		return Info
	case "images":
		return imageVerb(r.Method, rest)
	case "containers":
		return containerVerb(r.Method, rest)
	}
	return other
}

func imageVerb(method, rest string) Verb {
	switch {
	case method == http.MethodPost && rest == "create":
		return Pull
	case method == http.MethodGet && strings.HasSuffix(rest, "/json"): // an image's name may hold slashes
		return Image
	}
	return other
}

func containerVerb(method, rest string) Verb {
	_, action, _ := strings.Cut(rest, "/")
	switch method + " " + action {
	case "GET ":
		if rest == "json" {
			return List
		}
	case "GET json":
		return Inspect
	case "GET logs":
		return Logs
	case "POST ":
		if rest == "create" {
			return Create
		}
	case "POST attach":
		return Attach
	case "POST wait":
		return Wait
	case "POST start":
		return Start
	case "POST kill":
		return Kill
	case "DELETE ":
		return Remove
	}
	return other
}
