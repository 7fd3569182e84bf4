package hostcheck

import "mesos-docker-executor/storage/imageuse"

// lookAtRecord reads which images are in the record. The disk that it is on may hang.
func lookAtRecord(folder string) Record {
	uses, _, err := imageuse.Read(folder)
	return Record{Folder: folder, Images: len(uses), Err: err}
}
