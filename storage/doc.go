// Package storage will decide whether a host's disk is fit for one more
// container. It has no code yet: nothing is checked, refused or cleaned up.
//
// Three things belong here, and nowhere else:
//
//   - storage driver rules: which of the Docker engine's storage drivers a
//     container may be started on, which only with a warning;
//   - head-room admission: how many bytes and inodes the engine's data root must
//     have free before an image is pulled or a container is created;
//   - clean-up: which stopped containers and unused images may be removed to get
//     that room back, and in which order.
//
// The package takes plain values (the engine's driver information, statfs
// results, thresholds) and knows nothing of tasks, agents or the executor: arrows
// point from executor to here.
package storage
