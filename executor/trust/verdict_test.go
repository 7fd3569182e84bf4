package trust

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	address := netip.MustParseAddrPort("10.0.0.5:5051")
	agent, launcher := Process{100, "mesos-agent"}, Process{200, "mesos-containerizer"}
	both := []Process{launcher, agent}
	one := []listener{{address, 7}}
	tcp, unix := Target{Endpoint: address}, Target{Socket: "/run/agent.sock"}
	for name, c := range map[string]struct {
		evidence evidence
		trusted  bool
		why      string
	}{
		"pinned":                     {evidence{target: Target{Pinned: true, Endpoint: address}}, true, "config.yaml"},
		"parent listens":             {evidence{target: tcp, ancestors: []Process{agent}, local: true, listeners: one, holders: map[uint64]Process{7: agent}}, true, "100 (mesos-agent)"},
		"grandparent listens":        {evidence{target: tcp, ancestors: both, local: true, listeners: one, holders: map[uint64]Process{7: agent}}, true, "100 (mesos-agent)"},
		"stranger listens":           {evidence{target: tcp, ancestors: both, local: true, listeners: one}, false, "200 (mesos-containerizer), 100 (mesos-agent)"},
		"stranger listens as well":   {evidence{target: tcp, ancestors: both, local: true, listeners: []listener{{address, 7}, {address, 8}}, holders: map[uint64]Process{7: agent}}, false, "did not start"},
		"nobody listens":             {evidence{target: tcp, ancestors: both, local: true}, false, "nobody listening"},
		"another host":               {evidence{target: tcp, ancestors: both, listeners: one, holders: map[uint64]Process{7: agent}}, false, "not an address of this host"},
		"no ancestors":               {evidence{target: tcp, local: true, listeners: one}, false, "parent is process 1"},
		"something not found out":    {evidence{target: tcp, ancestors: both, local: true, listeners: one, missing: errors.New("no /proc")}, false, "cannot be checked: no /proc"},
		"socket of the parent":       {evidence{target: unix, ancestors: both, peer: 100}, true, "100 (mesos-agent)"},
		"socket of a stranger":       {evidence{target: unix, ancestors: both, peer: 300}, false, "process 300"},
		"socket from outside":        {evidence{target: unix, ancestors: both}, false, "pid namespace"},
		"socket that cannot be used": {evidence{target: unix, ancestors: both, missing: errors.New("refused")}, false, "refused"},
		"socket in a sandbox":        {evidence{target: Target{Socket: "/sandbox/a", Unsafe: errors.New("is a task's")}, ancestors: both, peer: 100}, false, "others than root: it is a task's"},
		"socket, no ancestors":       {evidence{target: unix, peer: 1}, false, "parent is process 1"},
	} {
		got := decide(c.evidence)
		if got.Trusted != c.trusted || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhichListenersAnAddressReaches(t *testing.T) {
	for _, c := range []struct {
		listener, target string
		want             bool
	}{
		{"10.0.0.5:5051", "10.0.0.5:5051", true},
		{"10.0.0.5:5051", "10.0.0.5:5052", false},
		{"10.0.0.6:5051", "10.0.0.5:5051", false},
		{"0.0.0.0:5051", "10.0.0.5:5051", true},
		{"0.0.0.0:5051", "[2001:db8::1]:5051", false},
		{"[::]:5051", "10.0.0.5:5051", true},
		{"[::]:5051", "[2001:db8::1]:5051", true},
		{"[::ffff:10.0.0.5]:5051", "10.0.0.5:5051", true},
		{"[::ffff:0.0.0.0]:5051", "10.0.0.5:5051", true},
		{"[2001:db8::1]:5051", "[2001:db8::1]:5051", true},
		{"[2001:db8::1]:5051", "[2001:db8::2]:5051", false},
	} {
		if got := (listener{netip.MustParseAddrPort(c.listener), 1}).reaches(netip.MustParseAddrPort(c.target)); got != c.want {
			t.Errorf("%s from %s: %v", c.listener, c.target, got)
		}
	}
}

func TestEndedContextTrustsNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	target := Target{Socket: "/none", Dial: func(ctx context.Context, _ string) (net.Conn, error) { return nil, ctx.Err() }}
	if v, _ := Begin(ctx, target).Verdict(t.Context()); v.Trusted {
		t.Errorf("%+v", v)
	}
}

func TestVerdictWaitsNoLongerThanItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	check := &Check{done: make(chan struct{})}
	cancel()
	if v, err := check.Verdict(ctx); v.Trusted || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", v, err)
	}
	check.verdict = Verdict{Trusted: true}
	close(check.done)
	if v, err := check.Verdict(ctx); !v.Trusted || err != nil {
		t.Errorf("what is known: %+v, %v", v, err)
	}
}
