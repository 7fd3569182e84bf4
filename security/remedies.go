package security

import (
	"path"
	"strings"
)

// flagOf returns the flag of docker run that an origin names (`v`, `mount`), "" for a field of the TaskInfo.
func flagOf(origin string) string {
	if !strings.HasPrefix(origin, "container.docker.parameters[") || !strings.HasSuffix(origin, "`") {
		return ""
	}
	_, flag, _ := strings.Cut(strings.TrimSuffix(origin, "`"), "`")
	return flag
}

// sandboxFolder completes "for a folder of the sandbox write ..." in the form of what asked for a mount: a folder of the
// name that was asked for. Only a source with a slash is a path to the parameters.
func sandboxFolder(origin, source, target string) string {
	folder := path.Base(source)
	if folder == "/" || folder == "." || folder == ".." {
		folder = "data"
	}
	folder = "./" + Printable(folder)
	switch flagOf(origin) {
	case "v", "volume":
		return "`" + folder + ":" + Printable(target) + "`"
	case "mount":
		return "`type=bind,source=" + folder + ",target=" + Printable(target) + "`"
	default:
		return "a host_path relative to it"
	}
}
