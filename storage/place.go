package storage

import (
	"path/filepath"
	"strings"
)

// Use is what a folder is for.
type Use uint8

// The uses of a [Place].
const (
	DataRoot   Use = iota // of the engine: downloads and everything that has no place of its own
	Layers                // of images and containers
	Downloads             // layers of images as they come, kept until they are extracted or for good
	Containers            // their configuration and logs
	Sandbox               // of the task; its room is the agent's business, so it only brings warnings

	PoolData     // layers in a pool of devicemapper, which is no folder
	PoolMetadata // the same pool's record of who has which block
)

func (u Use) String() string {
	switch u {
	case DataRoot:
		return "data root"
	case Layers:
		return "layers"
	case Downloads:
		return "downloads"
	case Containers:
		return "containers"
	case Sandbox:
		return "sandbox"
	case PoolData:
		return "data of devicemapper's pool"
	case PoolMetadata:
		return "metadata of devicemapper's pool"
	}
	return "folder"
}

// Place is a folder whose filesystem has to have room.
type Place struct {
	Path string // or the name of a pool
	Use  Use
	// Else is looked at if there is no Path; empty: then nothing is. That it isn't there either is a finding, as it is with a data root:
	// others come with the first container.
	Else string
}

// ContainerdRoot is where containerd keeps its images unless it is told otherwise (root in its config.toml).
const ContainerdRoot = "/var/lib/containerd"

// Places returns the folders that matter to a container of this engine; sandbox may be empty. They are on one filesystem or on several: each may be a
// mount of its own. Docker names the folder of a storage driver after the driver.
//
// With the containerd image store, layers are below the root of containerd: of the one that dockerd started
// (moby's libcontainerd/supervisor), or of the host's, which containerdRoot names ([ContainerdRoot] by default). GET /info says nothing of it.
func Places(e Engine, containerdRoot, sandbox string) []Place {
	root := e.DockerRootDir
	places := []Place{{Path: root, Use: DataRoot}}
	switch {
	case e.containerd():
		own := filepath.Join(root, "containerd", "daemon", "io.containerd.snapshotter.v1."+folderName(e.driver()))
		places = append(places, Place{Path: own, Use: Layers, Else: containerdRoot}, Place{Path: own, Use: Downloads, Else: containerdRoot})
	case e.driver() == "devicemapper": // see Pools
		places = append(places, Place{Path: filepath.Join(root, "tmp"), Use: Downloads})
	default:
		places = append(places, Place{Path: filepath.Join(root, folderName(e.driver())), Use: Layers}, Place{Path: filepath.Join(root, "tmp"), Use: Downloads})
	}
	places = append(places, Place{Path: filepath.Join(root, "containers"), Use: Containers})
	if sandbox != "" {
		places = append(places, Place{Path: sandbox, Use: Sandbox})
	}
	return places
}

// folderName keeps a driver's name, which a daemon said, from leading elsewhere.
func folderName(driver string) string { return strings.ReplaceAll(driver, "/", "_") }
