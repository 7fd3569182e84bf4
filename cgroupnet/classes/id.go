package classes

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"mesos-docker-executor/internal/message"
)

// ID is a net_cls class ID, 0xAAAABBBB. 0 is none: what a socket has that no class was given to.
type ID uint32

const (
	defaultMinor = 1      // of the team's default class
	leastMinor   = 0x100  // of an app
	mostNumber   = 0xfffe // of a major or a minor
)

func makeID(major, minor uint16) ID { return ID(major)<<16 | ID(minor) }

// Major is the upper half: the team, and the handle of its qdisc.
func (id ID) Major() uint16 { return uint16(id >> 16) }

// Minor is the lower half: the app within the team.
func (id ID) Minor() uint16 { return uint16(id) }

// String writes the ID as in classes.yaml and in the paths of cgroups: "0x00100001".
func (id ID) String() string { return fmt.Sprintf("0x%08x", uint32(id)) }

// MarshalText writes the ID as [ID.String] does, in JSON too.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads it as [ParseID] does.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// TC writes the ID as tc(8) prints classes: "10:1", both halves hexadecimal. iptables and nft take it as [ID.String] does, or decimal.
func (id ID) TC() string { return fmt.Sprintf("%x:%x", id.Major(), id.Minor()) }

// MajorString writes a major as in classes.yaml: "0x0010".
func MajorString(major uint16) string { return fmt.Sprintf("0x%04x", major) }

// TCMajor writes a major as tc(8) prints qdiscs: "10:".
func TCMajor(major uint16) string { return fmt.Sprintf("%x:", major) }

// Special says what an ID is that can be no task's, "" if it is an ordinary one.
func (id ID) Special() string {
	major, minor := id.Major(), id.Minor()
	switch {
	case id == 0:
		return "no class at all"
	case id == math.MaxUint32:
		return "the root of all qdiscs to tc (TC_H_ROOT)"
	case major == 0xffff:
		return "of the major 0xffff, which tc keeps for itself"
	case major == 0:
		return "of the major 0, which is none"
	case minor == 0:
		return "the qdisc " + TCMajor(major) + " itself to tc, not a class of it"
	case minor == 0xffff:
		return "of the minor 0xffff, which tc keeps for itself"
	}
	return ""
}

// Spellings, for messages.
const (
	idForms    = "write eight hexadecimal digits such as 0x00100001, decimal 1048577, or as tc does 10:1"
	majorForms = "write four hexadecimal digits such as 0x0010, or as tc does \"10:\" in quotes"
)

// ParseID reads a class ID in one of three spellings: "0x" and up to eight hexadecimal digits, a decimal number without leading
// zeros, or two halves of up to four hexadecimal digits each with a colon between them, as tc prints them. So "10:1", "0x00100001"
// and "1048577" are the same. The kernel would read a leading 0 as octal, and 0x100000000 as 0 (seen in net_cls.classid); both
// are refused, as are signs, blanks, underscores and fractions. Any value of 32 bits is read: [ID.Special] says what is no class.
func ParseID(s string) (ID, error) {
	major, minor, tc := strings.Cut(s, ":")
	switch {
	case s == "":
		return 0, errors.New("is empty; " + idForms)
	case tc:
		return parseTC(s, major, minor)
	case strings.HasPrefix(s, "0x"):
		n, ok := hexNumber(s[2:], 8)
		if !ok && isHex(s[2:]) {
			return 0, fmt.Errorf("%s has more than the 32 bits, or eight digits, of a class ID", message.Quote(s))
		} else if !ok {
			return 0, fmt.Errorf("%s is no hexadecimal number; %s", message.Quote(s), idForms)
		}
		return ID(n), nil
	}
	if err := otherForm(s, 8); err != nil {
		return 0, fmt.Errorf("%s %w; %s", message.Quote(s), err, idForms)
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s has more than the 32 bits of a class ID, whose highest is 4294967295", message.Quote(s))
	}
	return ID(n), nil
}

func parseTC(s, major, minor string) (ID, error) {
	high, okHigh := hexNumber(major, 4)
	low, okLow := hexNumber(minor, 4)
	switch {
	case okHigh && okLow:
		return makeID(uint16(high), uint16(low)), nil
	case okHigh && minor == "":
		return 0, fmt.Errorf("%s is a qdisc to tc, not a class; write both halves, such as %s1", message.Quote(s), s)
	case strings.HasPrefix(major, "0x") || strings.HasPrefix(minor, "0x"):
		return 0, fmt.Errorf("%s has 0x beside a colon; both halves of tc's form are hexadecimal without it: 10:1 is 0x00100001", message.Quote(s))
	}
	return 0, fmt.Errorf("%s is no class of tc, which has up to four hexadecimal digits on both sides of the colon, such as 10:1", message.Quote(s))
}

// otherForm says what a text is that is no decimal number, nil if it is one; digits is the number of those that the value has in
// hexadecimal.
func otherForm(s string, digits int) error {
	rest := strings.Trim(s, "0123456789")
	switch {
	case s == "0":
		return nil
	case rest == "" && s[0] == '0':
		if len(s) == digits {
			return fmt.Errorf("begins with 0, which is octal to some programs; if it is hexadecimal, write 0x%s", s)
		}
		return errors.New("begins with 0, which is octal to some programs")
	case rest == "":
		return nil
	case s[0] == '-' || s[0] == '+':
		return errors.New("has a sign")
	case strings.Contains(s, "_"):
		return errors.New("has an underscore")
	case strings.HasPrefix(s, "0X") && isHex(s[2:]):
		return fmt.Errorf("begins with a capital 0X; write 0x%s", s[2:])
	case strings.HasPrefix(s, "0o"):
		return errors.New("is octal")
	case strings.HasPrefix(s, "0b") && strings.Trim(s[2:], "01") == "":
		return errors.New("is binary")
	case isHex(s) && len(s) <= digits && !isFloat(s):
		return fmt.Errorf("has hexadecimal digits without 0x in front; write 0x%s", s)
	case isFloat(s):
		return errors.New("is no whole number")
	}
	return errors.New("is no number")
}

func isFloat(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// ParseMajor reads a major: "0x0010", or "10:" as tc does. A decimal number is refused, as 10 is 0x0010 to those who write tc
// commands, and 0x000a to others.
func ParseMajor(s string) (uint16, error) {
	digits, tc := strings.CutSuffix(s, ":")
	if !tc {
		var prefixed bool
		if digits, prefixed = strings.CutPrefix(s, "0x"); !prefixed {
			return 0, majorForm(s)
		}
	}
	n, ok := hexNumber(digits, 4)
	switch {
	case !ok && isHex(digits):
		return 0, fmt.Errorf("%s has more than the 16 bits, or four digits, of a major; it is the upper half of the class IDs", message.Quote(s))
	case !ok:
		return 0, fmt.Errorf("%s is no major; %s", message.Quote(s), majorForms)
	case n < 1 || n > mostNumber:
		return 0, fmt.Errorf("%s is out of range; allowed: 0x0001 to 0xfffe, the others are tc's own", message.Quote(s))
	}
	return uint16(n), nil
}

func majorForm(s string) error {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil && s[0] != '0' {
		if len(s) <= 4 {
			return fmt.Errorf("%s can be decimal or tc's hexadecimal; write %s or 0x%04s", message.Quote(s), MajorString(uint16(n)), s)
		}
		return fmt.Errorf("%s is decimal; write %s", message.Quote(s), MajorString(uint16(n)))
	}
	if s == "" {
		return errors.New("is empty; " + majorForms)
	}
	if err := otherForm(s, 4); err != nil {
		return fmt.Errorf("%s %w; %s", message.Quote(s), err, majorForms)
	}
	return fmt.Errorf("%s is no major; %s", message.Quote(s), majorForms)
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// hexNumber reads up to a number of hexadecimal digits.
func hexNumber(s string, most int) (uint64, bool) {
	if len(s) > most || !isHex(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 16, 64)
	return n, err == nil
}
