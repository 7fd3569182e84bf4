package security

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// labels takes away the labels by which the executor finds its own containers.
func (r *review) labels() {
	labels := take(&r.left.Config.Labels)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		field := "Config.Labels[" + key + "]"
		switch {
		case strings.TrimSpace(key) == "":
			r.reject(field, key, "labels", "A label without a name is refused; write name=value.")
			continue
		case strings.ContainsFunc(key, unicode.IsControl):
			r.reject(field, key, "labels", "Label %q is refused: its name holds a control character; remove it.", Shorten(key))
			continue
		case key == ProfileLabel:
			r.found(Trim, field, key, "labels.reserved",
				"Label %q is left out and picks no profile: it is one of the container here; write it into the task's `labels` (those of a Marathon app).", key)
			continue
		case isReservedLabel(key):
			r.found(Trim, field, key, "labels.reserved",
				"Label %q is left out: labels starting with %q belong to the executor.", Shorten(key), ReservedLabelPrefix)
			continue
		}
		r.allow(field, key, "labels")
		if r.out.Config.Labels == nil {
			r.out.Config.Labels = map[string]string{}
		}
		r.out.Config.Labels[key] = labels[key]
	}
}

// isReservedLabel takes any case, so that no label can be mistaken for one of the executor's.
func isReservedLabel(key string) bool {
	return len(key) >= len(ReservedLabelPrefix) && strings.EqualFold(key[:len(ReservedLabelPrefix)], ReservedLabelPrefix)
}
