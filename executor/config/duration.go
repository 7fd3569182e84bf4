package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// stoutUnit is one unit of the duration format of Mesos.
type stoutUnit struct {
	name string
	size time.Duration
}

// stoutUnits lists the units that Mesos knows, largest first
// (3rdparty/stout/include/stout/duration.hpp).
func stoutUnits() []stoutUnit {
	return []stoutUnit{
		{"weeks", 7 * 24 * time.Hour},
		{"days", 24 * time.Hour},
		{"hrs", time.Hour},
		{"mins", time.Minute},
		{"secs", time.Second},
		{"ms", time.Millisecond},
		{"us", time.Microsecond},
		{"ns", time.Nanosecond},
	}
}

// ParseDuration reads a duration as Mesos writes it: a decimal number and,
// without a space, one of the units ns, us, ms, secs, mins, hrs, days, weeks,
// such as "5secs" or "1.5mins" (stout's Duration::parse; [time.ParseDuration]
// reads neither). There is no sign, so the result is never negative. Parts of
// a nanosecond are cut off. Values beyond the range of [time.Duration] (292
// years, the range of stout's as well) are errors.
func ParseDuration(s string) (time.Duration, error) {
	end := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	switch {
	case strings.HasPrefix(s, "-"):
		return 0, fmt.Errorf("duration %s is negative", quote(s))
	case end == 0 || s == "":
		return 0, fmt.Errorf("duration %s does not begin with a number", quote(s))
	case end < 0:
		return 0, fmt.Errorf("duration %s has no unit (ns, us, ms, secs, mins, hrs, days or weeks)", quote(s))
	}
	number, name := s[:end], s[end:]
	for _, unit := range stoutUnits() {
		if unit.name == name {
			return multiply(s, number, unit.size)
		}
	}
	return 0, fmt.Errorf("duration %s has the unknown unit %s (known are ns, us, ms, secs, mins, hrs, days and weeks)", quote(s), quote(name))
}

// multiply returns number * unit for a number of digits and dots; s is the
// whole text, for errors. Whole numbers are computed exactly: a float64 has no
// room for all nanoseconds of a long time.
func multiply(s, number string, unit time.Duration) (time.Duration, error) {
	if !strings.Contains(number, ".") {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n > math.MaxInt64/int64(unit) {
			return 0, fmt.Errorf("duration %s is too long (more than 292 years)", quote(s))
		}
		return time.Duration(n) * unit, nil
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("duration %s: %s is not a number", quote(s), quote(number))
	}
	// float64(MaxInt64) rounds up to 2^63, which is already too much.
	if n*float64(unit) >= math.MaxInt64 {
		return 0, fmt.Errorf("duration %s is too long (more than 292 years)", quote(s))
	}
	return time.Duration(n * float64(unit)), nil
}

// FormatDuration writes d in the format that [ParseDuration] reads, in the
// largest unit that gives a whole number: 90s is "90secs", 0 is "0ns".
func FormatDuration(d time.Duration) string {
	for _, unit := range stoutUnits() {
		if d != 0 && d%unit.size == 0 {
			return strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		}
	}
	return "0ns"
}
