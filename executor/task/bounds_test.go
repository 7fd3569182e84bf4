package task

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// longParameters are values that grow without an end, in each flag whose value has parts.
func longParameters() map[string]func(i, bytes int) mesos.Parameter {
	long := func(key, head string, part func(int) string) func(i, bytes int) mesos.Parameter {
		return func(i, bytes int) mesos.Parameter {
			var b strings.Builder
			fmt.Fprintf(&b, head, i)
			for n := 0; b.Len() < bytes; n++ {
				b.WriteString("," + part(n))
			}
			return mesos.Parameter{Key: key, Value: b.String()}
		}
	}
	same := func(s string) func(int) string { return func(int) string { return s } }
	counted := func(format string) func(int) string { return func(n int) string { return fmt.Sprintf(format, n) } }
	deep := "/" + strings.Repeat(strings.Repeat("d", 250)+"/", 15) + "x%d"
	return map[string]func(i, bytes int) mesos.Parameter{
		"tmpfs contradictions":    long("tmpfs", "/t%d:noexec", same("exec")),
		"tmpfs repeats":           long("tmpfs", "/t%d:nodev", same("nodev")),
		"tmpfs flags":             long("tmpfs", "/t%d:ro", same("ro")),
		"tmpfs users":             long("tmpfs", "/t%d:ro", counted("uid=%d")),
		"mount's tmpfs":           long("mount", "type=tmpfs,dst=/t%d", same("")),
		"volume labels":           long("mount", "type=volume,source=ab,target=/v%d", counted("volume-label=%x")),
		"volume labels, deep":     long("mount", "type=volume,source=ab,target="+deep, counted("volume-label=%x")),
		"options of a driver":     long("mount", "type=volume,source=ab,target=/v%d,volume-driver=x", counted("volume-opt=%x=")),
		"options of a volume":     long("volume", "./a:/v%d:ro", same("ro")),
		"addresses of a network":  long("network", "name=bridge", same("ip=1.1.1.1")),
		"options of a network":    long("network", "name=bridge", counted("driver-opt=%x=")),
		"aliases of a network":    long("network", "name=bridge", counted("alias=%x")),
		"one group":               long("group-add", "g%d", same("]")),
		"one label":               long("label", "l%d", same("x=")),
		"one capability":          long("cap-add", "c%d", same("x")),
		"one security option":     long("security-opt", "apparmor=a%d", same("x")),
		"one option of resolvers": long("dns-option", "o%d", same("x")),
	}
}

// TestWhatIsFoundGrowsWithTheNumberOfParameters: however long the value of a parameter, there are few findings on it.
func TestWhatIsFoundGrowsWithTheNumberOfParameters(t *testing.T) {
	const (
		each   = 3 // findings: on a mount, its consistency and its options
		others = 30
		count  = 40
	)
	for name, long := range longParameters() {
		for _, bytes := range []int{800, 60_000} {
			task := fixtureTask(t, "hello")
			for i := range count {
				task.Container.Docker.Parameters = append(task.Container.Docker.Parameters, long(i, bytes))
			}
			raw := marshal(t, task)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			d := Decide(raw, testInputs(), security.BuiltIn())
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if len(d.Findings) > each*count+others {
				t.Errorf("%s of %d bytes: %d findings on %d parameters", name, bytes, len(d.Findings), count)
			}
			const fixed = 16 << 20
			if made := after.TotalAlloc - before.TotalAlloc; made > uint64(fixed+20*len(raw)) {
				t.Errorf("%s: a task of %d bytes took %d bytes of memory", name, len(raw), made)
			}
			if limit := 5 * time.Second; took > limit {
				t.Errorf("%s: a task of %d bytes took %v", name, len(raw), took)
			}
		}
	}
}

func TestOptionsOfOneParameterHaveABound(t *testing.T) {
	options := func(count int) string { return strings.TrimSuffix(strings.Repeat("nodev,", count), ",") }
	if message := problemsOf(t, nil, "tmpfs /t:"+options(maxOptions)); message != "" {
		t.Error(message)
	}
	for _, parameter := range []string{
		"tmpfs /t:" + options(maxOptions+1), "mount type=tmpfs,dst=/t," + options(maxOptions-1), "volume ./a:/t:" + options(maxOptions+1),
		"network name=web," + options(maxOptions),
	} {
		message := problemsOf(t, nil, parameter)
		if strings.Contains(message, "\n") || !strings.Contains(message, "The value has 101 parts between commas, and at most 100") {
			t.Errorf("%.30s: %s", parameter, message)
		}
	}
}

// TestOneMistakeInAParameterIsOneProblem: a value of several parts is wrong once.
func TestOneMistakeInAParameterIsOneProblem(t *testing.T) {
	for _, parameter := range []string{
		"network name=bridge,alias=a,alias=b,ip=1.2.3.4", "network name=web,ip=x,ip6=y,mac-address=z", "network name=bridge,driver-opt=a=1,driver-opt=b=2",
		"network name=bridge,mac-address=02:42:ac:11:00:02", "mac-address 02:42:ac:11:00:02", "tmpfs /t:exec,suid,dev",
		"mount type=volume,source=ab,dst=/v,volume-label=a=1,volume-label=b=2",
	} {
		raw := helloTask(t, func(task *mesos.TaskInfo) {
			task.Container.Docker.Network = nil
			task.Container.Docker.Parameters = parametersOf(parameter)
			if !strings.HasPrefix(parameter, "network") {
				task.Container.Docker.Network = mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()
			}
		})
		d := Decide(raw, testInputs(), security.BuiltIn())
		if d.Refusal == nil {
			t.Errorf("%s is accepted", parameter)
			continue
		}
		want := 1
		if strings.HasPrefix(parameter, "mount") { // the volume itself is another
			want = 2
		}
		if strings.HasPrefix(parameter, "network name=web") { // as is the network
			want = 2
		}
		if got := strings.Count(d.Refusal.Message, "parameters[0]"); got != want {
			t.Errorf("%s: %d problems, want %d: %s", parameter, got, want, d.Refusal.Message)
		}
	}
}
