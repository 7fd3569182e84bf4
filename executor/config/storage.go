package config

import (
	"fmt"
	"strconv"
	"strings"

	"mesos-docker-executor/storage"
)

// Storage is the section about the disks that a new container needs. Its defaults are those of package storage.
type Storage struct {
	// AllowedDrivers and ToleratedDrivers are as they stand in the file.
	AllowedDrivers   string `yaml:"allowed_drivers"`
	ToleratedDrivers string `yaml:"tolerated_drivers"`

	MinFreeBytes        Size `yaml:"min_free_bytes"`
	MinFreeBytesPercent int  `yaml:"min_free_bytes_percent"`
	// WarnFreeBytesPercent is at least MinFreeBytesPercent, or 0.
	WarnFreeBytesPercent  int    `yaml:"warn_free_bytes_percent"`
	MinFreeInodes         int    `yaml:"min_free_inodes"`
	MinFreeInodesPercent  int    `yaml:"min_free_inodes_percent"`
	WarnFreeInodesPercent int    `yaml:"warn_free_inodes_percent"`
	ContainerdRoot        string `yaml:"containerd_root"`
}

// Size is a number of bytes. It is written as it is read, with a unit.
type Size uint64

// MarshalYAML makes a config.yaml that is made from a [File] one that can be read again.
func (s Size) MarshalYAML() (any, error) { return shortSize(uint64(s)), nil }

// defaultStorage writes storage's defaults as the file has them.
func defaultStorage() Storage {
	s := storage.DefaultSettings()
	return Storage{
		AllowedDrivers:        strings.Join(s.Rules.Allowed, ", "),
		ToleratedDrivers:      strings.Join(s.Rules.Tolerated, ", "),
		MinFreeBytes:          Size(s.Thresholds.MinBytes),
		MinFreeBytesPercent:   s.Thresholds.MinBytesPercent,
		WarnFreeBytesPercent:  s.Thresholds.WarnBytesPercent,
		MinFreeInodes:         int(s.Thresholds.MinInodes),
		MinFreeInodesPercent:  s.Thresholds.MinInodesPercent,
		WarnFreeInodesPercent: s.Thresholds.WarnInodesPercent,
		ContainerdRoot:        s.ContainerdRoot,
	}
}

// Settings are the section in the words of package storage.
func (s Storage) Settings() storage.Settings {
	return storage.Settings{
		Rules: storage.Rules{Allowed: driverNames(s.AllowedDrivers), Tolerated: driverNames(s.ToleratedDrivers)},
		Thresholds: storage.Thresholds{
			MinBytes: uint64(s.MinFreeBytes), MinBytesPercent: s.MinFreeBytesPercent, WarnBytesPercent: s.WarnFreeBytesPercent,
			MinInodes: uint64(s.MinFreeInodes), MinInodesPercent: s.MinFreeInodesPercent, WarnInodesPercent: s.WarnFreeInodesPercent,
		},
		ContainerdRoot: s.ContainerdRoot,
	}
}

// check says which key contradicts another one, "" if none does.
func (s Storage) check() (key string, err error) {
	settings := s.Settings()
	if err := settings.Rules.Check(); err != nil {
		return "storage.tolerated_drivers", err
	}
	bytes := settings.Thresholds
	bytes.MinInodesPercent, bytes.WarnInodesPercent = 0, 0
	if err := bytes.Check(); err != nil {
		return "storage.warn_free_bytes_percent", err
	}
	return "storage.warn_free_inodes_percent", settings.Thresholds.Check()
}

func driverNames(names string) []string {
	return strings.FieldsFunc(names, func(c rune) bool { return c == ',' || c == ' ' })
}

// checkDrivers accepts names as docker info writes them.
func checkDrivers(names string) error { return storage.Rules{Allowed: driverNames(names)}.Check() }

// checkSomeDrivers is checkDrivers where a host without a single one would run nothing.
func checkSomeDrivers(names string) error {
	if len(driverNames(names)) == 0 {
		return fmt.Errorf("%s names no driver, and then no task starts", quote(names))
	}
	return checkDrivers(names)
}

// sizeUnits are those that a size may have, the largest first. GB and the like are not among them: programs differ in
// what they mean.
var sizeUnits = [...]struct {
	name  string
	bytes uint64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// maxSize keeps sums of sizes far from the end of 64 bits: 1024 TiB.
const maxSize = 1 << 50

// sizeSetting is a whole number of bytes, up to 1024 TiB.
func sizeSetting(to *Size, key, meaning string) setting {
	const allowed = "whole number with KiB, MiB, GiB or TiB, up to 1024TiB; 0 for none"
	return setting{
		Key: Key{Path: key, Type: "size", Default: shortSize(uint64(*to)), Allowed: allowed, Meaning: meaning},
		set: func(v scalar) error {
			if v.text == "0" {
				*to = 0
				return nil
			}
			if v.tag == "!!int" || v.tag == "!!float" {
				return fmt.Errorf("%s has no unit; allowed: %s", v.text, allowed)
			}
			bytes, err := parseSize(v.text)
			if err != nil || v.tag != "!!str" {
				return fmt.Errorf("%s is not a size such as 2GiB; allowed: %s", quote(v.text), allowed)
			}
			if bytes > maxSize {
				return fmt.Errorf("%s is out of range; allowed: %s", v.text, allowed)
			}
			*to = Size(bytes)
			return nil
		},
	}
}

func parseSize(text string) (uint64, error) {
	for _, unit := range sizeUnits {
		if digits, ok := strings.CutSuffix(text, unit.name); ok {
			n, err := strconv.ParseUint(digits, 10, 64)
			if err == nil && n > maxSize/unit.bytes {
				n = maxSize/unit.bytes + 1 // out of range, whatever it was
			}
			return n * unit.bytes, err
		}
	}
	return 0, strconv.ErrSyntax
}

// shortSize is the way to write a whole number of KiB.
func shortSize(bytes uint64) string {
	for _, unit := range sizeUnits {
		if bytes != 0 && bytes%unit.bytes == 0 {
			return strconv.FormatUint(bytes/unit.bytes, 10) + unit.name
		}
	}
	return "0"
}
