package classproof

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/enginetest"
)

// containers is the number of first starts on each kind of network; a tenth of them are started again.
var containers = flag.Int("classproof.containers", 100, "how many `containers` start on each kind of network")

const (
	// class is what the containers have, unless a test says otherwise.
	class = 0x0010_0001
	// cgroupRoot is above the leaves of these tests.
	cgroupRoot = "/mesos-docker-executor-test-classproof"
	// crew is how many containers live at a time.
	crew = 4
	// soonEnough bounds every wait of these tests: a hang is a failure.
	soonEnough = time.Minute
)

// What the tests of this package share, one after the other.
var (
	docker *enginetest.Engine
	api    *client.Client // of docker
	driver cgroupnet.Driver
	gate   gateway // of docker
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	engine := enginetest.Options{Args: []string{"--add-runtime=gate=" + gate.runtime(), "--default-runtime=gate"}}
	status := enginetest.RunWith(context.Background(), m, engine, use)
	if err := errors.Join(os.RemoveAll(gate.dir), removeCgroupRoot()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = max(status, 1)
	}
	os.Exit(status)
}

func use(e *enginetest.Engine) {
	docker = e
	var err error
	if api, err = client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation()); err != nil {
		fmt.Fprintln(os.Stderr, err) // of an address that is our own, which is never refused
	}
}

// prepare finds out whether this machine has what the tests need.
func prepare() error {
	support, err := cgroupnet.Probe()
	if err == nil {
		driver, err = support.Driver()
	}
	if err := errors.Join(err, checkTools()); err != nil {
		return err
	}
	gate, err = newGate()
	return err
}

// checkTools reports the tools that the counters need, with the remedy.
func checkTools() error {
	var missing []error
	for program, pkg := range map[string]string{"nft": "nftables", "iptables": "iptables", "iptables-restore": "iptables"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: apt-get install %s", program, pkg))
		}
	}
	return errors.Join(missing...)
}
