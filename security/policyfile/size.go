package policyfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"mesos-docker-executor/internal/message"
)

// maxSize is the largest size that a rule can name, in bytes.
const maxSize = 1 << 50

// sizeUnits are the units of sizes, the largest first.
func sizeUnits() []string { return []string{"TiB", "GiB", "MiB", "KiB"} }

func unitSize(unit string) int64 {
	return map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}[unit]
}

// parseSize reads a size with its unit ("512MiB"), or 0.
func parseSize(s string) (int64, error) {
	if s == "0" {
		return 0, nil
	}
	for _, unit := range sizeUnits() {
		number, found := strings.CutSuffix(s, unit)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case errors.Is(err, strconv.ErrRange) || err == nil && n > math.MaxInt64/unitSize(unit):
			return 0, fmt.Errorf("%s is too large", message.Quote(s))
		case err == nil && n >= 0 && strconv.FormatInt(n, 10) == number:
			return n * unitSize(unit), nil
		}
		return 0, fmt.Errorf("%s is not a size; write a whole number and the unit without a blank, such as 512MiB", message.Quote(s))
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return 0, fmt.Errorf("%s has no unit; write %s", s, likelySize(n))
	}
	number := strings.TrimRight(strings.ToUpper(s), "IB ")
	if last := len(number) - 1; last > 0 && strings.Contains("KMGT", number[last:]) {
		if n, err := strconv.ParseUint(strings.TrimSpace(number[:last]), 10, 63); err == nil {
			return 0, fmt.Errorf("%s has no unit of sizes; write %d%siB", message.Quote(s), n, number[last:])
		}
	}
	return 0, fmt.Errorf("%s is not a size; write a whole number and one of KiB, MiB, GiB and TiB, such as 512MiB", message.Quote(s))
}

// likelySize writes what a number without a unit may have meant: bytes if that is a whole number of some unit, else MiB.
func likelySize(n int64) string {
	if s := formatSize(n); n >= 1<<10 && !strings.HasSuffix(s, "bytes") {
		return s
	}
	return fmt.Sprintf("%dMiB, or a whole number of KiB, MiB, GiB or TiB", n)
}

// Number writes a number of the rules as a file has it: a size with its unit. key is that of the rules ("ulimits.memlock").
func Number(key string, n int64) string {
	section, name, _ := strings.Cut(key, ".")
	all := facts()
	f, known := all[key]
	if !known {
		f = all[section] // a map of numbers
	}
	return formatNumber(key, name, n, f)
}

// formatSize writes a size as parseSize reads it; one that is no whole number of KiB for people only.
func formatSize(n int64) string {
	for _, unit := range sizeUnits() {
		if n > 0 && n%unitSize(unit) == 0 {
			return strconv.FormatInt(n/unitSize(unit), 10) + unit
		}
	}
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d bytes", n)
}
