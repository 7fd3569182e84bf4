package process

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExceeds(t *testing.T) {
	const (
		chown    = 1 << 0
		netAdmin = 1 << 12
		netRaw   = 1 << 13
		last     = 1 << 40
		unknown  = 1 << 63
	)
	confined := Rights{
		Effective: chown, Permitted: chown, Bounding: chown | netRaw,
		NoNewPrivs: true, Seccomp: 2, UIDs: [4]int{1000, 1000, 1000, 1000}, Shared: []string{"cgroup", "user"},
	}
	strict := RightsLimit{
		Capabilities: []string{"CAP_CHOWN", "CAP_NET_RAW"},
		NoNewPrivs:   true, Seccomp: true, NonRoot: true, HostNamespaces: []string{"cgroup", "user"},
	}
	root := func(r *Rights, _ *RightsLimit) { r.UIDs = [4]int{} }
	tests := []struct {
		name   string
		change func(*Rights, *RightsLimit)
		want   []string
	}{
		{"exactly what was decided", func(*Rights, *RightsLimit) {}, nil},
		{"fewer rights", func(r *Rights, _ *RightsLimit) { r.Effective, r.Permitted, r.Bounding, r.Shared = 0, 0, 0, nil }, nil},
		{"strict seccomp", func(r *Rights, _ *RightsLimit) { r.Seccomp = 1 }, nil},
		{"nothing decided", func(_ *Rights, l *RightsLimit) { *l = RightsLimit{} }, []string{
			"The container has more capabilities than it was to have: CAP_CHOWN (effective, permitted, bounding).",
			"The container has more capabilities than it was to have: CAP_NET_RAW (bounding).",
			"The container is in the host's cgroup namespace, though it was to have its own.",
			"The container is in the host's user namespace, though it was to have its own.",
		}},
		{"capabilities in the same sets", func(r *Rights, _ *RightsLimit) { r.Bounding |= netAdmin | last | unknown }, []string{
			"The container has more capabilities than it was to have: CAP_NET_ADMIN, CAP_CHECKPOINT_RESTORE, capability 63 (bounding).",
		}},
		{"a capability in a set only that a file's may come from", func(r *Rights, _ *RightsLimit) { r.Inheritable = netAdmin }, []string{
			"The container has more capabilities than it was to have: CAP_NET_ADMIN (inheritable).",
		}},
		{"a capability in every set", func(r *Rights, _ *RightsLimit) {
			r.Effective, r.Permitted, r.Inheritable, r.Bounding, r.Ambient = netAdmin, netAdmin, netAdmin, netAdmin, netAdmin
		}, []string{
			"The container has more capabilities than it was to have: CAP_NET_ADMIN (effective, permitted, inheritable, bounding, ambient).",
		}},
		{"a name that is spelled otherwise", func(_ *Rights, l *RightsLimit) { l.Capabilities = []string{"CAP_CHOWN", "net_raw", "ALL", ""} }, []string{
			"The container has more capabilities than it was to have: CAP_NET_RAW (bounding).",
		}},
		{"no no_new_privs", func(r *Rights, _ *RightsLimit) { r.NoNewPrivs = false }, []string{
			"The container can gain rights by set-user-ID programs and file capabilities (no_new_privs is not set), which was ruled out.",
		}},
		{"no seccomp", func(r *Rights, _ *RightsLimit) { r.Seccomp = 0 }, []string{
			"The container runs without a seccomp filter, though it was to have one.",
		}},
		{"root", root, []string{
			"The container runs as root (its real, effective, saved and filesystem user ids are [0 0 0 0] on the host), which was ruled out.",
		}},
		{"root that it can go back to", func(r *Rights, _ *RightsLimit) { r.UIDs[2] = 0 }, []string{
			"The container runs as root (its real, effective, saved and filesystem user ids are [1000 1000 0 1000] on the host), which was ruled out.",
		}},
		{"nothing of it demanded", func(r *Rights, l *RightsLimit) {
			root(r, l)
			r.NoNewPrivs, r.Seccomp = false, 0
			l.NoNewPrivs, l.Seccomp, l.NonRoot = false, false, false
		}, nil},
		{"each namespace", func(r *Rights, l *RightsLimit) {
			r.Shared, l.HostNamespaces = namespaceKinds(), []string{"net", "time"}
		}, []string{
			"The container is in the host's cgroup namespace, though it was to have its own.",
			"The container is in the host's IPC namespace, though it was to have its own.",
			"The container is in the host's mount namespace, though it was to have its own.",
			"The container is in the host's PID namespace, though it was to have its own.",
			"The container is in the host's user namespace, though it was to have its own.",
			"The container is in the host's UTS namespace, though it was to have its own.",
		}},
		{"a user namespace of the engine's", func(r *Rights, _ *RightsLimit) { r.Shared, r.RootUID = nil, 200000 }, nil},
		{"more than decided in a user namespace of the engine's", func(r *Rights, _ *RightsLimit) {
			r.Shared, r.RootUID, r.UIDs, r.Bounding = nil, 200000, [4]int{200000, 200000, 200000, 200000}, netAdmin
		}, []string{
			"The container has more capabilities than it was to have: CAP_NET_ADMIN (bounding).",
			"The container runs as root (its real, effective, saved and filesystem user ids are [200000 200000 200000 200000] on the host), which was ruled out.",
		}},
		{"a user namespace that the program made", func(r *Rights, _ *RightsLimit) {
			r.OwnUserNamespace, r.Permitted, r.Effective, r.Bounding = true, 1<<41-1, 1<<41-1, 1<<41-1
		}, nil},
		{"the rest in a user namespace that the program made", func(r *Rights, l *RightsLimit) {
			root(r, l)
			r.OwnUserNamespace, r.Seccomp, r.Shared = true, 0, []string{"net"}
		}, []string{
			"The container runs without a seccomp filter, though it was to have one.",
			"The container runs as root (its real, effective, saved and filesystem user ids are [0 0 0 0] on the host), which was ruled out.",
			"The container is in the host's network namespace, though it was to have its own.",
		}},
		{"a user namespace that the program made within the engine's", func(r *Rights, _ *RightsLimit) { r.OwnUserNamespace, r.RootUID = true, -1 }, []string{
			"It cannot be told whether the container runs as root, which was ruled out: its program has made a user namespace within the one that the engine had made (userns-remap).",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rights, limit := confined, strict
			test.change(&rights, &limit)
			if diff := cmp.Diff(test.want, rights.Exceeds(limit)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEachCapabilityHasItsNumber(t *testing.T) {
	for n, want := range map[int]string{0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 38: "CAP_PERFMON", 40: "CAP_CHECKPOINT_RESTORE", 41: "capability 41", 63: "capability 63"} {
		if got := capabilityName(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
