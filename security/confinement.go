package security

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"mesos-docker-executor/internal/glob"
)

// confinement decides over security options and over the paths of /proc and /sys that the engine hides. What a task does
// not say stays the engine's: its seccomp and AppArmor profiles and its SELinux labels.
func (r *review) confinement() {
	noNewPrivileges, asked := r.rules.NoNewPrivileges, false
	for _, option := range take(&r.left.Host.SecurityOpt) {
		field := "Host.SecurityOpt[" + option + "]"
		key, value := cutSecurityOption(option)
		switch key {
		case "no-new-privileges":
			if on, ok := r.noNewPrivileges(field, value); ok {
				noNewPrivileges, asked = on, true
			}
		case "seccomp":
			r.seccomp(field, value)
		case "apparmor":
			r.apparmor(field, value)
		case "label":
			r.selinux(field, value)
		case "systempaths":
			if value == unconfined && r.lifted(r.rules.BreakGlass.Unconfined, "systempaths", field, value, liftConfinement) {
				// What the docker command makes of it; the engine itself does not know the option.
				r.out.Host.MaskedPaths, r.out.Host.ReadonlyPaths = []string{}, []string{}
			} else {
				r.reject(field, value, "security_opt.systempaths", systemPathsRefused)
				r.endedWith(func(b BreakGlass) bool { return value == unconfined && slices.Contains(b.Unconfined, "systempaths") })
			}
		default:
			r.reject(field, key, "security_opt",
				"Security option %q is refused: the policy does not know it; remove it.", Shorten(key))
		}
	}
	switch {
	case noNewPrivileges && (asked || r.forcedNoNewPrivileges()):
		// The bare form is the one that every daemon version understands without a deprecation warning.
		r.out.Host.SecurityOpt = append([]string{"no-new-privileges"}, r.out.Host.SecurityOpt...)
	case asked: // said, since a daemon may be configured to switch it on
		r.out.Host.SecurityOpt = append([]string{"no-new-privileges=false"}, r.out.Host.SecurityOpt...)
	}
	r.systemPaths("Host.MaskedPaths", take(&r.left.Host.MaskedPaths), &r.out.Host.MaskedPaths)
	r.systemPaths("Host.ReadonlyPaths", take(&r.left.Host.ReadonlyPaths), &r.out.Host.ReadonlyPaths)
}

// cutSecurityOption reads an option as the engine does (daemon/daemon_unix.go, parseSecurityOpt), which still takes a
// colon where there is no '='.
func cutSecurityOption(option string) (key, value string) {
	separator := "="
	if !strings.Contains(option, separator) {
		separator = ":"
	}
	key, value, _ = strings.Cut(option, separator)
	if option == "no-new-privileges" {
		value = "true"
	}
	return key, value
}

func (r *review) forcedNoNewPrivileges() bool {
	r.found(Force, "Host.SecurityOpt", "no-new-privileges", "no_new_privileges",
		"no-new-privileges is on: setuid binaries and file capabilities add no rights inside the container.")
	r.unasked()
	return r.acts()
}

func (r *review) noNewPrivileges(field, value string) (on, ok bool) {
	on, err := strconv.ParseBool(value)
	switch {
	case err != nil:
		r.reject(field, value, "no_new_privileges", "%q is neither true nor false; write no-new-privileges=true.", Shorten(value))
		return false, false
	case !on && r.rules.NoNewPrivileges && !r.rules.NewPrivileges && r.deny(field, value, "no_new_privileges",
		"Switching no-new-privileges off is refused; remove it, and have the task start as the user that it needs."):
		return true, true
	}
	r.allow(field, value, "no_new_privileges")
	return on, true
}

// seccomp replaces the name of a profile by what the policy has under it. That itself is allowed as well, so that a
// reviewed Spec passes a second time.
func (r *review) seccomp(field, value string) {
	if strings.EqualFold(value, unconfined) {
		r.unconfined("seccomp", field, "seccomp="+value, "security_opt.seccomp")
		return
	}
	profile, known := r.rules.SeccompProfiles[value]
	for _, name := range slices.Sorted(maps.Keys(r.rules.SeccompProfiles)) {
		if !known && r.rules.SeccompProfiles[name] == value {
			profile, known, value = value, true, name
		}
	}
	if !known || profile == "" || strings.EqualFold(profile, unconfined) {
		// In audit mode too: there is no profile that could be sent.
		r.found(Reject, field, "", "security_opt.seccomp",
			"A seccomp profile of the task is refused: profiles go by names, and %s. Without one, the engine's own profile holds.",
			chooseFrom(slices.Sorted(maps.Keys(r.rules.SeccompProfiles))))
		return
	}
	r.allow(field, value, "security_opt.seccomp")
	r.atEntry("seccomp_profiles", value)
	r.out.Host.SecurityOpt = append(r.out.Host.SecurityOpt, "seccomp="+profile)
}

func (r *review) apparmor(field, value string) {
	if isUnconfinedProfile(value) {
		r.unconfined("apparmor", field, "apparmor="+value, "security_opt.apparmor")
		return
	}
	if !slices.Contains(r.rules.AppArmorProfiles, value) && r.deny(field, value, "security_opt.apparmor",
		"AppArmor profile %q is refused: %s.", Shorten(value), chooseFrom(r.rules.AppArmorProfiles)) {
		return
	}
	r.allow(field, value, "security_opt.apparmor")
	r.out.Host.SecurityOpt = append(r.out.Host.SecurityOpt, "apparmor="+value)
}

func (r *review) selinux(field, value string) {
	if isUnconfinedLabel(value) {
		r.unconfined("selinux", field, "label="+value, "security_opt.selinux")
		return
	}
	if !isSELinuxLabel(value) {
		r.reject(field, value, "security_opt.selinux",
			"SELinux label %q is refused; write user:, role:, type:, level: or filetype: and its value, of which only a level has a colon.", Shorten(value))
		return
	}
	if !glob.MatchAny(r.rules.SELinuxLabels, value) && r.deny(field, value, "security_opt.selinux",
		"SELinux label %q is refused: %s.", Shorten(value), chooseFrom(r.rules.SELinuxLabels)) {
		return
	}
	r.allow(field, value, "security_opt.selinux")
	r.out.Host.SecurityOpt = append(r.out.Host.SecurityOpt, "label="+value)
}

// unconfined decides over an option that switches one of the three off. kind is its name among [BreakGlass].Unconfined.
func (r *review) unconfined(kind, field, option, rule string) {
	_, value := cutSecurityOption(option)
	if !r.lifted(r.rules.BreakGlass.Unconfined, kind, field, value, liftConfinement) {
		r.reject(field, value, rule, "%q, which switches %s off, is refused, and only break_glass can lift that; remove it.", Shorten(option), kind)
		r.endedWith(func(b BreakGlass) bool { return slices.Contains(b.Unconfined, kind) })
		return
	}
	r.out.Host.SecurityOpt = append(r.out.Host.SecurityOpt, option)
}

// unconfined is the engine's word for no profile at all, of seccomp as of AppArmor.
const unconfined = "unconfined"

// isUnconfinedProfile takes the word also as a part of an AppArmor name, where it can stand for a namespace's own
// (":ns:unconfined") or be stacked ("a//&unconfined"); see apparmor.d(5).
func isUnconfinedProfile(profile string) bool {
	parts := strings.FieldsFunc(profile, func(c rune) bool { return strings.ContainsRune(":/& ", c) })
	return slices.ContainsFunc(parts, func(part string) bool { return strings.EqualFold(part, unconfined) })
}

// isUnconfinedLabel reports whether a label leaves the container to no rule of SELinux's, or to none that matters.
func isUnconfinedLabel(label string) bool {
	return label == "disable" || slices.Contains(UnconfinedLabels(), label)
}

// UnconfinedLabels are the types to which the targeted policy refuses nothing: those of container-selinux for containers that are
// to be as good as the host, and those of the host's own services (unconfined_t(8)).
func UnconfinedLabels() []string {
	return []string{
		"type:spc_t", "type:container_runtime_t", "type:unconfined_t", "type:unconfined_service_t", "type:init_t", "type:initrc_t", "type:kernel_t",
	}
}

// isSELinuxLabel takes one part of a security context. The engine puts the parts together with colons (go-selinux, Context.Get), so
// that type:spc_t:s0 and level:c0 would make a context of the type spc_t, which is none of the two.
func isSELinuxLabel(label string) bool {
	kind, value, _ := strings.Cut(label, ":")
	switch kind {
	case "user", "role", "type", "filetype":
		return value != "" && !strings.Contains(value, ":")
	}
	return kind == "level" && value != ""
}

const systemPathsRefused = "Uncovering the paths of /proc and /sys that the engine hides is refused, and only break_glass can lift that; remove it."

// systemPaths rejects a list even if it is empty: it replaces the engine's own, and an empty one hides nothing. That is what
// BreakGlass lifts; any other list is for nobody.
func (r *review) systemPaths(field string, paths []string, out *[]string) {
	switch {
	case paths == nil:
	case len(paths) == 0 && r.lifted(r.rules.BreakGlass.Unconfined, "systempaths", field, "", liftConfinement):
		*out = []string{}
	default:
		r.reject(field, "", "security_opt.systempaths", systemPathsRefused)
		r.endedWith(func(b BreakGlass) bool { return len(paths) == 0 && slices.Contains(b.Unconfined, "systempaths") })
	}
}
