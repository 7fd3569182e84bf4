package config_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/config"
)

func TestParseDurationReadsWhatMesosWrites(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0ns":                   0,
		"0weeks":                0,
		"250ms":                 250 * time.Millisecond,
		"5secs":                 5 * time.Second,
		"90secs":                90 * time.Second,
		"15mins":                15 * time.Minute,
		"1.5mins":               90 * time.Second,
		".5secs":                500 * time.Millisecond,
		"2.hrs":                 2 * time.Hour,
		"10days":                240 * time.Hour,
		"2weeks":                14 * 24 * time.Hour,
		"3us":                   3 * time.Microsecond,
		"1.9ns":                 1,
		"9223372036854775807ns": math.MaxInt64,
		"00012secs":             12 * time.Second,
	} {
		got, err := config.ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestParseDurationRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "number",
		"secs":                              "number",
		" 5secs":                            "number",
		"+5secs":                            "number",
		"-5secs":                            "negative",
		"5":                                 "no unit",
		"5.5":                               "no unit",
		"5 secs":                            "unknown unit",
		"5secs ":                            "unknown unit",
		"5s":                                "unknown unit",
		"5Secs":                             "unknown unit",
		"1e3secs":                           "unknown unit",
		"0x5secs":                           "unknown unit",
		"1secs500ms":                        "unknown unit",
		"1.2.3secs":                         "not a number",
		".secs":                             "not a number",
		"9223372036854775808ns":             "too long",
		"9223372036854775808.0ns":           "too long",
		"9223372036854775807.5ns":           "too long",
		"15251weeks":                        "too long",
		"15251.5weeks":                      "too long",
		strings.Repeat("9", 400) + "secs":   "too long",
		strings.Repeat("9", 400) + ".0secs": "not a number",
	} {
		got, err := config.ParseDuration(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseDuration(%q) = %v, %v, want an error with %q", text, got, err, want)
		}
	}
}

func TestFormatDurationUsesLargestWholeUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0ns",
		1:                        "1ns",
		1500 * time.Microsecond:  "1500us",
		2 * time.Second:          "2secs",
		90 * time.Second:         "90secs",
		15 * time.Minute:         "15mins",
		240 * time.Hour:          "10days",
		14 * 24 * time.Hour:      "2weeks",
		-time.Minute:             "-1mins",
		time.Hour + 1:            "3600000000001ns",
		time.Duration(1<<63 - 1): "9223372036854775807ns",
	} {
		if got := config.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"0ns", "5secs", "1.5mins", "-1secs", "1.2.3hrs", "9223372036854775807ns", "9223372036854775807.9ns", "99999999weeks", "secs", ".", "1µs"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := config.ParseDuration(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of more than one line: %q", err)
			}
			return
		}
		if d < 0 {
			t.Errorf("ParseDuration(%q) = %d, negative", text, d)
		}
		if again, err := config.ParseDuration(config.FormatDuration(d)); err != nil || again != d {
			t.Errorf("%q is %v, written as %q, read as %v, %v", text, d, config.FormatDuration(d), again, err)
		}
	})
}
