//go:build linux

package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/docker/docker/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The images of every engine. All hold the same files: busybox with all its applets in /bin, the users root
// and web (1000), and the usual folders. PATH is set.
const (
	Image           = "busybox:local" // CMD prints "default command"
	EntrypointImage = "entry:local"   // ENTRYPOINT ["/bin/echo","entry"], CMD ["default"]
	StopSignalImage = "stopsig:local" // STOPSIGNAL SIGUSR1, CMD as Image
)

func imageConfigs() map[string]ocispec.ImageConfig {
	path := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	say := []string{"/bin/sh", "-c", "echo default command"}
	return map[string]ocispec.ImageConfig{
		Image:           {Env: path, Cmd: say},
		EntrypointImage: {Env: path, Entrypoint: []string{"/bin/echo", "entry"}, Cmd: []string{"default"}},
		StopSignalImage: {Env: path, Cmd: say, StopSignal: "SIGUSR1"},
	}
}

// loadImages gives the private engine its images.
func (e *Engine) loadImages(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, imagesLimit)
	defer cancel()
	c, err := e.api()
	if err != nil {
		return err
	}
	defer c.Close()
	return load(ctx, c, imageConfigs())
}

// load gives an engine images in the format of `docker save`: one layer, one configuration per image and a
// manifest.
func load(ctx context.Context, c *client.Client, configs map[string]ocispec.ImageConfig) error {
	layer, err := rootFilesystem()
	if err != nil {
		return err
	}
	archive, err := imageArchive(layer, configs)
	if err != nil {
		return err
	}
	answer, err := c.ImageLoad(ctx, bytes.NewReader(archive))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	for tag := range configs {
		// The daemon reports a failure in the stream of a successful answer: believe only the effect.
		if _, err := c.ImageInspect(ctx, tag); err != nil {
			return fmt.Errorf("%w; the daemon said %s", err, said)
		}
	}
	return nil
}

func imageArchive(layer []byte, configs map[string]ocispec.ImageConfig) ([]byte, error) {
	type manifest struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	const layerFile = "layer.tar"
	var manifests []manifest
	a := newArchive()
	a.file(layerFile, 0o644, layer)
	for tag, config := range configs {
		text, err := json.Marshal(ocispec.Image{
			Platform: ocispec.Platform{Architecture: runtime.GOARCH, OS: "linux"},
			Config:   config,
			RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(layer)}},
		})
		if err != nil {
			return nil, err
		}
		name := strings.ReplaceAll(tag, ":", "-") + ".json"
		a.file(name, 0o644, text)
		manifests = append(manifests, manifest{Config: name, RepoTags: []string{tag}, Layers: []string{layerFile}})
	}
	text, err := json.Marshal(manifests)
	if err != nil {
		return nil, err
	}
	a.file("manifest.json", 0o644, text)
	return a.bytes()
}

// rootFilesystem returns the images' layer as a tar archive.
func rootFilesystem() ([]byte, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	if err := checkStatic(path); err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	applets, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("list the applets of %s: %w", path, err)
	}
	a := newArchive()
	for _, dir := range []string{"bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "usr", "usr/bin", "var"} {
		a.dir(dir, 0o755, 0)
	}
	a.dir("tmp", 0o1777, 0)
	a.dir("home/web", 0o755, 1000)
	a.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n"))
	a.file("etc/group", 0o644, []byte("root:x:0:\nweb:x:1000:\n"))
	a.file("bin/busybox", 0o755, program)
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" { // its list holds its own name
			a.link("bin/"+applet, "busybox")
		}
	}
	a.link("usr/bin/env", "/bin/busybox")
	return a.bytes()
}

// checkStatic refuses a busybox that needs a dynamic loader, which the images don't have.
func checkStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	defer f.Close()
	for _, segment := range f.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is dynamically linked: apt-get install busybox-static", path)
		}
	}
	return nil
}

// archive builds a tar archive; the first error is kept until bytes.
type archive struct {
	buffer bytes.Buffer
	writer *tar.Writer
	err    error
}

func newArchive() *archive {
	a := &archive{}
	a.writer = tar.NewWriter(&a.buffer)
	return a
}

func (a *archive) add(h tar.Header, content []byte) {
	h.ModTime = time.Unix(0, 0)
	h.Size = int64(len(content))
	if a.err == nil {
		a.err = a.writer.WriteHeader(&h)
	}
	if a.err == nil {
		_, a.err = a.writer.Write(content)
	}
}

func (a *archive) dir(name string, mode int64, owner int) {
	a.add(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (a *archive) file(name string, mode int64, content []byte) {
	a.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

func (a *archive) link(name, target string) {
	a.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (a *archive) bytes() ([]byte, error) {
	if err := errors.Join(a.err, a.writer.Close()); err != nil {
		return nil, fmt.Errorf("build archive: %w", err)
	}
	return a.buffer.Bytes(), nil
}
