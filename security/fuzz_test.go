package security

import (
	"reflect"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
)

// FuzzReview: no Spec makes a review panic, and whatever the built-in policy accepts, which enforces and breaks no glass, holds the
// invariants of [violation]: it is not privileged, has no capability, no bind mount and no namespace but those allowed, and more.
// In audit mode it finds the same, and what it accepts holds [hardViolation].
func FuzzReview(f *testing.F) {
	f.Add("bridge", "NET_ADMIN", "ALL", "/lease/1/data", "/data", "nofile", "80/tcp", "31000", "a", "/tmp", "1000", "MESOS", int64(1024), uint8(0))
	f.Add("none", "ALL", "KILL", "/lease/1", "/proc/x", "core", "", "", "web-1", "/proc/self/fd/8", "root", ReservedLabelPrefix+"x", int64(-1), uint8(1))
	f.Add("host", "cap_sys_admin", "", "/lease/1/../../etc", "/", "as", "80/tcp", "1-65535", "-", "tmp", "a:b:c", "", int64(1)<<62, uint8(0xff))
	f.Add("container:x", "ſys_admin", "\xff", "/lease/10", "//x", "rtprio", "1-5/udp", "0", "", "", "", "l\x00", int64(0), uint8(0x40))
	f.Add("private", "CHOWN", "ALL", "/lease/1/data", "/data", "nofile", "", "", "a", "/tmp", "rwm", "a", int64(3), uint8(0x80))
	f.Fuzz(func(t *testing.T, network, add, drop, source, target, ulimit, port, hostPort, hostname, workdir, user, label string, number int64, flags uint8) {
		s := goodSpec()
		s.Config.Hostname, s.Config.WorkingDir, s.Config.User = hostname, workdir, user
		s.Config.Labels = map[string]string{label: label}
		s.Config.Env = append(s.Config.Env, label+"="+user)
		s.Host.NetworkMode = container.NetworkMode(network)
		s.Host.CapAdd, s.Host.CapDrop = []string{add}, []string{drop}
		s.Host.Mounts = append(s.Host.Mounts, mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: flags&2 != 0})
		s.Host.Ulimits = []*container.Ulimit{{Name: ulimit, Soft: number, Hard: number}}
		if port != "" {
			s.Host.PortBindings = nat.PortMap{nat.Port(port): {{HostPort: hostPort}}}
			s.Config.ExposedPorts = nat.PortSet{nat.Port(port): {}}
		}
		s.Host.Privileged = flags&1 != 0
		if flags&4 != 0 {
			s.Host.Mounts[1].BindOptions = &mount.BindOptions{Propagation: mount.Propagation(label)}
		}
		if flags&8 != 0 {
			s.Host.PidMode, s.Host.IpcMode = container.PidMode(network), container.IpcMode(network)
		}
		if flags&16 != 0 {
			s.Host.Memory, s.Host.CPUShares, s.Host.CPUQuota, s.Host.CPUPeriod = number, number, number, number
		}
		if flags&32 != 0 {
			s.Host.SecurityOpt = []string{label}
		}
		if flags&64 != 0 {
			s.Host.RestartPolicy.Name = container.RestartPolicyMode(label)
		}
		if flags&128 != 0 {
			s.Host.UTSMode, s.Host.UsernsMode = container.UTSMode(network), container.UsernsMode(network)
			s.Host.CgroupnsMode = container.CgroupnsMode(network)
			s.Host.Binds = []string{source + ":" + target}[:number&1]
			s.Host.Devices = []container.DeviceMapping{{PathOnHost: source, PathInContainer: target, CgroupPermissions: user}}[:number>>1&1]
		}
		d, audited := BuiltIn().Review(s, testRoots), inAudit(BuiltInRules()).Review(s, testRoots)
		if problem := otherFindings(d, audited); problem != "" {
			t.Fatalf("in audit mode: %s", problem)
		}
		if problem := hardViolation(audited.Spec, testRoots.Roots); !audited.Rejected() && problem != "" {
			t.Fatalf("accepted in audit mode with %s: %+v", problem, audited.Spec)
		}
		if d.Rejected() {
			return
		}
		if problem := violation(d.Spec, testRoots.Roots); problem != "" {
			t.Fatalf("accepted with %s: %+v", problem, d.Spec)
		}
	})
}

// hostileWords are what [FuzzEveryField] writes into texts: values that some field takes, and values that none may.
const hostileWords = `host none bridge private container:x team-a cafe default shareable 0 1 -1 root 1000 1000:0 docker 06 /
	/proc/self/exe /etc /etc/shadow /run /run/docker.sock /var/run/docker.sock /var /var/lib/docker/x /srv /srv/a /lease/1 /lease/1/a /lease/1/../2
	/x /x/ x ../x /dev/fuse /dev/sda rwm rw size=1m size=9g exec noexec,size=1k suid,size=1g size=1m,mode=777 ro,shared true false
	no-new-privileges no-new-privileges=false seccomp=unconfined apparmor=unconfined apparmor=docker-default label=disable systempaths=unconfined
	bind volume tmpfs image npipe local rshared rprivate SIGTERM SIGKILL 9 net.ipv4.tcp_syncookies net.core.somaxconn kernel.shm_rmid_forced
	192.0.2.1 fd00::1 169.254.1.1 a:192.0.2.1 a:host-gateway 02:42:ac:11:00:02 0.0.0.0 80/tcp 1-9/tcp 31000 syslog syslog-address
	A=b NVIDIA_VISIBLE_DEVICES=all A NONE CMD gpu nvidia type device nofile core nope NET_ADMIN ALL KILL always mesos-docker-executor.x`

// FuzzEveryField sets any fields of the Docker structs to any of these words and to small and large numbers. What the
// built-in policy accepts holds [violation], what the most generous one accepts, and what either accepts in audit mode, holds
// [hardViolation]; each accepts it again, unchanged; and audit mode finds the same.
func FuzzEveryField(f *testing.F) {
	fields, words := everyField(), strings.Fields(hostileWords)
	for i := range fields {
		f.Add([]byte{byte(i), 0, byte(i), byte(i), byte(i + 7), byte(i)})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b)
		}
		spec := goodSpec()
		for len(data) > 0 {
			fillFrom(fields[next()%len(fields)].in(&spec), words, next)
		}
		everything := everyRule()
		audited, auditedEverything := inAudit(BuiltInRules()), inAudit(everything)
		for _, pair := range [][2]Policy{{BuiltIn(), audited}, {New("everything", everything), auditedEverything}} {
			if problem := otherFindings(pair[0].Review(spec, testRoots), pair[1].Review(spec, testRoots)); problem != "" {
				t.Fatalf("%s in audit mode: %s", pair[0].Hash(), problem)
			}
		}
		for _, p := range []struct {
			policy Policy
			broken func(Spec, []string) string
		}{{BuiltIn(), violation}, {New("everything", everything), hardViolation}, {audited, hardViolation}, {auditedEverything, hardViolation}} {
			d := p.policy.Review(spec, testRoots)
			if d.Rejected() {
				continue
			}
			if problem := p.broken(d.Spec, testRoots.Roots); problem != "" {
				t.Fatalf("%s accepts %s: %+v", d.PolicyHash, problem, d.Spec)
			}
			again := p.policy.Review(d.Spec, testRoots)
			if diff := cmp.Diff(d.Spec, again.Spec); diff != "" {
				t.Fatalf("a second review changes it (%+v): %s", again.Rejections(), diff)
			}
		}
	})
}

// fillFrom is [fill] with values that next chooses.
func fillFrom(v reflect.Value, words []string, next func() int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillFrom(v.Elem(), words, next)
	case reflect.Struct:
		for i := range v.NumField() {
			fillFrom(v.Field(i), words, next)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), next()%3, 3))
		for i := range v.Len() {
			fillFrom(v.Index(i), words, next)
		}
	case reflect.Array:
		for i := range v.Len() {
			fillFrom(v.Index(i), words, next)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range next() % 3 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fillFrom(key, words, next)
			fillFrom(value, words, next)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(words[next()%len(words)])
	case reflect.Bool:
		v.SetBool(next()%2 == 1)
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, -1, 2, 1000, 4096, 100_000, 1 << 20, 1 << 25, 1 << 33, -1 << 62}[next()%11])
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(next()))
	}
}
