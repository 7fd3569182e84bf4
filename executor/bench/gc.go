//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"

	"mesos-docker-executor/storage/imageuse"
)

// What gc removes, and how fast.
const (
	gcImages = 12 // of the engine when gc begins
	gcFiles  = 200
	gcPause  = 100 * time.Millisecond // so that a launch has a removal in it, of which some have none with the default of 1 s
	gcTries  = 5                      // for each launch; those without a removal do not count
)

// cleaner is gc, with images to remove.
type cleaner struct {
	*bench
	config string
	made   int // images
}

// gc measures launches while gc removes images, and interleaved those while it does not run.
func (b *bench) gc(ctx context.Context) error {
	c, err := b.newCleaner()
	if err != nil {
		return err
	}
	var with, without, removed []float64
	for i := range b.executors {
		b.notes.say("gc: pair %d of %d", i+1, b.executors)
		err := inOrder(i%2 == 0,
			func() error { return c.launchBeside(ctx, &with, &removed) },
			func() error { return c.launchAlone(ctx, &without) })
		if err != nil {
			return err
		}
	}
	b.report.add("gc_launch", ratioOf(singly(with), singly(without)), "LAUNCH to TASK_RUNNING %s ms, without gc %s ms; %s images removed meanwhile",
		number(median(with)), number(median(without)), number(median(removed)))
	return nil
}

// newCleaner writes a configuration by which there is never room enough.
func (b *bench) newCleaner() (*cleaner, error) {
	c := &cleaner{bench: b, config: filepath.Join(b.dir, "gc.yaml")}
	text := fmt.Sprintf("version: 1\nengine: {host: %q}\ncgroup: {root: %s}\nrun_directory: %s\nstorage: {min_free_bytes: 1024TiB}\n"+
		"gc: {directory: %s, max_images: 1000, pause: %s, keep: \"*:local\", max_load: 0, max_io_pressure: 0}\n",
		b.engine.Host, b.cgroupRoot, b.runDir(), b.imageUse(), gcPause)
	return c, os.WriteFile(c.config, []byte(text), 0o600)
}

// launchBeside measures a launch during which gc removes images. It begins when gc has removed one.
func (c *cleaner) launchBeside(ctx context.Context, into, removed *[]float64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range gcTries {
		stop, err := c.begin(ctx)
		if err != nil {
			return err
		}
		took, gone, err := c.launch(ctx)
		stop()
		if err != nil {
			return err
		}
		if gone > 0 {
			*into, *removed = append(*into, took), append(*removed, float64(gone))
			return nil
		}
	}
	return fmt.Errorf("gc has removed no image during any of %d launches", gcTries)
}

func (c *cleaner) launchAlone(ctx context.Context, into *[]float64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	took, _, err := c.launch(ctx)
	*into = append(*into, took)
	return err
}

// launch measures a launch, in milliseconds, and returns how many images have gone meanwhile.
func (c *cleaner) launch(ctx context.Context) (took float64, gone int, err error) {
	r, err := c.startExecutor(untilKilled, c.engine.Socket)
	if err != nil {
		return 0, 0, err
	}
	if _, err := r.awaitSubscribe(ctx); err != nil {
		return 0, 0, err
	}
	before, err := c.there(ctx)
	if err != nil {
		return 0, 0, err
	}
	launched, err := r.launch()
	if err != nil {
		return 0, 0, err
	}
	running, _, err := r.running(ctx)
	if err != nil {
		return 0, 0, err
	}
	after, err := c.there(ctx)
	if err != nil {
		return 0, 0, err
	}
	return ms(running.Sub(launched)), before - after, r.end(ctx)
}

// begin makes images and starts gc, and returns once that has removed one.
func (c *cleaner) begin(ctx context.Context) (stop func(), err error) {
	images, err := c.there(ctx)
	if err != nil {
		return nil, err
	}
	for ; images < gcImages; images++ {
		if err := c.make(ctx); err != nil {
			return nil, err
		}
	}
	var said bytes.Buffer
	cmd := exec.Command(c.binary, "gc", "--config", c.config)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill() // as it may be at any moment; os.ErrProcessDone is fine
		_ = cmd.Wait()
	}
	for {
		left, err := c.there(ctx)
		if err == nil && left < images {
			return stop, nil
		}
		if err == nil {
			err = pause(ctx, 5*time.Millisecond)
		}
		if err != nil {
			stop()
			return nil, fmt.Errorf("gc removes nothing: %w: %s", err, said.String())
		}
	}
}

// there is how many images the engine has.
func (c *cleaner) there(ctx context.Context) (int, error) {
	all, err := c.docker.ImageList(ctx, image.ListOptions{})
	return len(all), err
}

// make makes an image without a name, which was last used long ago.
func (c *cleaner) make(ctx context.Context) error {
	c.made++
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for f := range gcFiles {
		name := fmt.Sprintf("%d-%d", c.made, f)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(name))}); err != nil {
			return err
		}
		if _, err := w.Write([]byte(name)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	answer, err := c.docker.ImageImport(ctx, image.ImportSource{Source: &layer, SourceName: "-"}, "", image.ImportOptions{})
	if err != nil {
		return err
	}
	defer answer.Close()
	var said struct{ Status, Error string }
	for lines := json.NewDecoder(answer); lines.More(); { // the last one is the image's ID
		if err := lines.Decode(&said); err != nil {
			return err
		}
	}
	if said.Error != "" {
		return errors.New(said.Error)
	}
	if _, err := imageuse.Note(ctx, c.imageUse(), said.Status); err != nil {
		return err
	}
	then := time.Now().AddDate(0, 0, -1)
	return os.Chtimes(filepath.Join(c.imageUse(), strings.TrimPrefix(said.Status, "sha256:")), then, then)
}
