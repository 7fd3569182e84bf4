package supervise

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/uuid"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/process"
)

// stage is how far an executor of these tests has come when it is killed.
type stage string

const (
	wasClaimed stage = "claimed"
	wasPlaced  stage = "placed" // lease, volumes and leaf are there
	wasCreated stage = "created"
	wasRunning stage = "running"
	sentCreate stage = "create sent"
	sentStart  stage = "start sent"
	sweeping   stage = "sweeps"
)

// playVariable holds the player, as JSON, in the environment of its process.
const playVariable = "SWEEP_TEST_PLAY"

// player is an executor in a process of its own: the test binary, executed once more. It plays its part before any test,
// and before TestMain starts an engine.
type player struct {
	Stage   stage
	ID      string
	RunDir  string
	Sandbox string
	Name    string // of the container
	Socket  string
	PIDMode api.PidMode // of the container; with the host's it has a second process

	process *exec.Cmd
	stdin   io.Writer
	said    *bufio.Reader
}

var _ = playIfAsked()

func playIfAsked() bool {
	text := os.Getenv(playVariable)
	if text == "" {
		return false
	}
	var p player
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.play(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	pauseAt("ready") // until it is killed, or the test is
	os.Exit(0)
	return true
}

// pauseAt waits for [player.goOn].
func pauseAt(point string) {
	fmt.Println(point)
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		os.Exit(0)
	}
}

func (p *player) play(ctx context.Context) error {
	e, err := engine.Open("unix://"+p.Socket, engine.DefaultLimits())
	if err != nil {
		return err
	}
	if p.Stage == sweeping {
		if _, err := e.Probe(ctx); err != nil {
			return err
		}
		pauseAt("probed")
		_, err := Sweep(ctx, SweepOptions{RunDir: p.RunDir, CgroupRoot: cgroupRoot, Log: slog.New(slog.DiscardHandler), Engine: e, Limit: soonEnough})
		return err
	}
	record := process.ClaimRecord{TaskID: "task of " + p.ID, Name: p.Name, EngineHost: "unix://" + p.Socket}
	claim, err := process.NewClaim(ClaimDir(p.RunDir), p.ID, record)
	if err != nil || p.Stage == wasClaimed {
		return err
	}
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		return err
	}
	record.Leaf = p.leaf()
	record.CreateUnknown = p.Stage != wasPlaced
	if err := claim.Update(record); err != nil {
		return err
	}
	host, err := p.place(groups)
	if err != nil || p.Stage == wasPlaced {
		return err
	}
	script := "touch /sandbox/ran; exec sleep 600"
	if host.PidMode = p.PIDMode; host.PidMode.IsHost() {
		script = "sleep 600 & " + script
	}
	config := api.Config{Image: enginetest.Image, Cmd: []string{"sh", "-c", script}, Labels: p.labels(claim.Path())}
	if p.Stage == sentCreate {
		body, err := json.Marshal(api.CreateRequest{Config: &config, HostConfig: host})
		if err != nil {
			return err
		}
		return p.send("/v1.41/containers/create?name="+p.Name, body)
	}
	if _, err := e.Probe(ctx); err != nil {
		return err
	}
	id, _, err := e.Create(ctx, p.Name, &config, host, nil)
	if err != nil {
		return err
	}
	record.DockerID, record.CreateUnknown = id, false
	if err := claim.Update(record); err != nil || p.Stage == wasCreated {
		return err
	}
	if p.Stage == sentStart {
		pauseAt("created") // the engine is frozen meanwhile
		return p.send("/v1.41/containers/"+id+"/start", nil)
	}
	return e.Start(ctx, id)
}

func (p *player) labels(claim string) map[string]string {
	boot, _ := process.BootID()
	return map[string]string{labelContainer: p.ID, labelClaim: claim, labelBoot: boot}
}

func (p *player) leaf() cgroupnet.Placement {
	leaf := cgroupRoot + "/00000000/" + p.ID
	return cgroupnet.Placement{Parent: leaf, Path: leaf, Keep: cgroupRoot}
}

// place makes what a container needs.
func (p *player) place(groups []cgroupnet.Hierarchy) (*api.HostConfig, error) {
	lease, err := process.NewLease(LeaseDir(p.RunDir), p.ID, 1, p.Sandbox)
	if err != nil {
		return nil, err
	}
	shared := filepath.Join(p.Sandbox, "of-the-host")
	if err := os.WriteFile(shared, nil, 0o644); err != nil {
		return nil, err
	}
	volumes, err := process.NewStage(process.StageOptions{
		Dir: stageDir(p.RunDir), ContainerID: p.ID, Attempt: 1, Sandbox: p.Sandbox, SandboxDirs: []string{"data"},
		HostPaths: []process.HostPath{{Path: shared, Inside: p.Sandbox, Propagation: "rshared", Recursive: true}},
	})
	if err != nil {
		return nil, err
	}
	return &api.HostConfig{
		NetworkMode: "none",
		LogConfig:   api.LogConfig{Type: "none"},
		Resources:   api.Resources{CgroupParent: p.leaf().Parent},
		Mounts: []mount.Mount{
			{Type: mount.TypeBind, Source: lease.Path, Target: "/sandbox"},
			{Type: mount.TypeBind, Source: volumes.Source("data"), Target: "/data"},
			{Type: mount.TypeBind, Source: volumes.HostSource(0), Target: "/of-the-host"},
		},
	}, cgroupnet.Prepare(groups, p.leaf())
}

// send writes a request and does not wait for the answer.
func (p *player) send(path string, body []byte) error {
	conn, err := net.Dial("unix", p.Socket)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, "http://docker"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	return request.Write(conn) // conn stays open until the process ends
}

// cast returns a player with a run directory, a sandbox and a name of its own; more of them can share the run directory.
func cast(t *testing.T, s stage, runDir string) *player {
	t.Helper()
	id := uuid.NewString()
	p := &player{Stage: s, ID: id, RunDir: runDir, Sandbox: t.TempDir(), Name: "sweep-" + id, Socket: docker.Socket}
	if err := os.WriteFile(filepath.Join(p.Sandbox, "proof"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.Sandbox, "data"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Sandbox, "data", "proof"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.strike(t) })
	return p
}

// begin starts the player's process.
func (p *player) begin(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	p.process = exec.Command("/proc/self/exe")
	p.process.Env = append(os.Environ(), playVariable+"="+string(text))
	out, err := p.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.process.StdinPipe(); err != nil { // held open
		t.Fatal(err)
	}
	p.said = bufio.NewReader(out)
	if err := p.process.Start(); err != nil {
		t.Fatal(err)
	}
}

// says waits for a line of the player's.
func (p *player) says(t *testing.T, want string) {
	t.Helper()
	line, err := p.said.ReadString('\n')
	if strings.TrimSpace(line) != want {
		t.Fatalf("the executor said %q (%v), want %q", line, err, want)
	}
}

// goOn ends the player's pause.
func (p *player) goOn(t *testing.T) {
	t.Helper()
	if _, err := p.stdin.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
}

// kill ends the player as SIGKILL ends an executor.
func (p *player) kill(t *testing.T) {
	t.Helper()
	if p.process == nil || p.process.ProcessState != nil {
		return
	}
	if err := p.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = p.process.Wait()
}

// strike takes away what a failed test may have left.
func (p *player) strike(t *testing.T) {
	_ = docker.Thaw()
	p.kill(t)
	for range 2 { // the claim of a create without an answer goes at the second sweep
		_, _ = Sweep(context.Background(), SweepOptions{
			RunDir: p.RunDir, CgroupRoot: cgroupRoot, Log: slog.New(slog.DiscardHandler), Engine: probed(t), Limit: soonEnough, Settle: time.Nanosecond,
		})
	}
}

// killed casts a player that has come to a stage and was killed there.
func killed(t *testing.T, s stage, runDir string) *player {
	t.Helper()
	p := cast(t, s, runDir)
	p.begin(t)
	p.says(t, "ready")
	p.kill(t)
	return p
}

func probed(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.Open(docker.Host, engine.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e
}

// sweepOnce sweeps, patiently.
func sweepOnce(t *testing.T, runDir string, change ...func(*SweepOptions)) SweepReport {
	t.Helper()
	o := SweepOptions{RunDir: runDir, CgroupRoot: cgroupRoot, Log: slog.New(slog.DiscardHandler), Limit: soonEnough}
	for _, c := range change {
		c(&o)
	}
	if o.Engine == nil {
		o.Engine = probed(t)
	}
	report, err := Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func later(d time.Duration) func(*SweepOptions) {
	return func(o *SweepOptions) { o.Now = func() time.Time { return time.Now().Add(d) } }
}

func sweptIn(t *testing.T, r SweepReport, id string) SweptTask {
	t.Helper()
	for _, d := range r.Dead {
		if d.ContainerID == id {
			return d
		}
	}
	t.Fatalf("nothing of %s in the report\n%s", id, r)
	return SweptTask{}
}

// traces lists what of the player's is on the host.
func (p *player) traces(t *testing.T) (found []string) {
	t.Helper()
	for kind, path := range map[string]string{
		"claim":   filepath.Join(ClaimDir(p.RunDir), p.ID),
		"lease":   filepath.Join(LeaseDir(p.RunDir), p.ID+".1"),
		"volumes": filepath.Join(stageDir(p.RunDir), p.ID+".1"),
	} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			found = append(found, kind)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), p.ID) {
		found = append(found, "mounts")
	}
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	if leaves, err := cgroupnet.Find(groups, cgroupRoot, p.ID); err != nil || len(leaves) > 0 {
		found = append(found, "leaf")
	}
	if len(p.processes(t)) > 0 {
		found = append(found, "processes")
	}
	return found
}

func (p *player) processes(t *testing.T) []process.Process {
	t.Helper()
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	all, err := process.OpenLeaf(groups, p.leaf().Path).Processes()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// nothingLeft checks that only the sandbox is.
func (p *player) nothingLeft(t *testing.T) {
	t.Helper()
	if found := p.traces(t); len(found) > 0 {
		t.Errorf("left of the executor that was %s: %q", p.Stage, found)
	}
	if c, err := probed(t).Inspect(t.Context(), p.Name); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("container of the executor that was %s: %s %v", p.Stage, c.Status, err)
	}
	for _, file := range []string{"proof", "data/proof"} {
		if _, err := os.Stat(filepath.Join(p.Sandbox, file)); err != nil {
			t.Errorf("the sandbox: %v", err)
		}
	}
}
