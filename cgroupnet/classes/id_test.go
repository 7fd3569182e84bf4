package classes

import (
	"strings"
	"testing"
)

func TestSpellingsOfClassIDs(t *testing.T) {
	for text, want := range map[string]ID{
		"0x00100001":  0x00100001,
		"0x100001":    0x00100001,
		"1048577":     0x00100001,
		"10:1":        0x00100001,
		"0010:0001":   0x00100001,
		"0xABCDef01":  0xabcdef01,
		"ABCD:ef01":   0xabcdef01,
		"0":           0,
		"0x0":         0,
		"0:0":         0,
		"4294967295":  0xffffffff,
		"0xffffffff":  0xffffffff,
		"ffff:ffff":   0xffffffff,
		"10:10":       0x00100010, // hexadecimal on both sides
		"1":           1,
		"00000:1":     0,
		"0x000100001": 0,
	} {
		id, err := ParseID(text)
		if refused := len(text) > 6 && want == 0; refused != (err != nil) || id != want {
			t.Errorf("%s: %v, %v; want %v", text, id, err, want)
		}
	}
}

func TestTextsThatAreNoClassID(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "is empty; write eight hexadecimal digits such as 0x00100001, decimal 1048577, or as tc does 10:1",
		"00100001":               `"00100001" begins with 0, which is octal to some programs; if it is hexadecimal, write 0x00100001`,
		"010":                    `"010" begins with 0, which is octal to some programs; write`,
		"00":                     "begins with 0",
		"0o17":                   `"0o17" is octal; write`,
		"0b11":                   `"0b11" is binary; write`,
		"0B11":                   "has hexadecimal digits without 0x",
		"0X00100001":             "begins with a capital 0X; write 0x00100001",
		"0X\n":                   `"0X\n" is no number; write`,
		"0x":                     `"0x" is no hexadecimal number`,
		"0xg":                    "is no hexadecimal number",
		"0x10_0001":              "is no hexadecimal number",
		"0x-1":                   "is no hexadecimal number",
		"0x00100001 ":            "is no hexadecimal number",
		"0x100000000":            `"0x100000000" has more than the 32 bits, or eight digits, of a class ID`,
		"0x000100001":            "has more than the 32 bits, or eight digits",
		"4294967296":             `"4294967296" has more than the 32 bits of a class ID, whose highest is 4294967295`,
		"99999999999999999999":   "has more than the 32 bits",
		"-1":                     `"-1" has a sign`,
		"+1048577":               "has a sign",
		"1_048_577":              "has an underscore",
		"1048577.0":              "is no whole number",
		"1e6":                    "is no whole number",
		"1E6":                    "is no whole number",
		".inf":                   "is no number",
		"inf":                    "is no whole number",
		"true":                   "is no number",
		"a0001":                  "has hexadecimal digits without 0x in front; write 0xa0001",
		" 1048577":               "is no number",
		"1048577 ":               "is no number",
		"10:":                    `"10:" is a qdisc to tc, not a class; write both halves, such as 10:1`,
		":1":                     "is no class of tc, which has up to four hexadecimal digits on both sides of the colon, such as 10:1",
		":":                      "is no class of tc",
		"10:1:2":                 "is no class of tc",
		"10: 1":                  "is no class of tc",
		"10000:1":                "is no class of tc",
		"1:10000":                "is no class of tc",
		"-1:1":                   "is no class of tc",
		"0x10:1":                 "has 0x beside a colon; both halves of tc's form are hexadecimal without it: 10:1 is 0x00100001",
		"10:0x1":                 "has 0x beside a colon",
		"g:1":                    "is no class of tc",
		"١٠":                     "is no number",
		strings.Repeat("1", 500): "... (500 bytes) has more than the 32 bits",
	} {
		if id, err := ParseID(text); err == nil || id != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %s", text, id, err, want)
		}
	}
}

func TestSpellingsOfMajors(t *testing.T) {
	for text, want := range map[string]uint16{"0x0010": 0x10, "0x10": 0x10, "10:": 0x10, "0010:": 0x10, "0xfffe": 0xfffe, "FFFE:": 0xfffe, "0x1": 1} {
		if major, err := ParseMajor(text); err != nil || major != want {
			t.Errorf("%s: %#x, %v; want %#x", text, major, err, want)
		}
	}
	for text, want := range map[string]string{
		"":           "is empty; write four hexadecimal digits such as 0x0010, or as tc does \"10:\" in quotes",
		"10":         `"10" can be decimal or tc's hexadecimal; write 0x000a or 0x0010`,
		"16":         "write 0x0010 or 0x0016",
		"9999":       "write 0x270f or 0x9999",
		"12345":      `"12345" is decimal; write 0x3039`,
		"65536":      "is no major",
		"0010":       "begins with 0, which is octal to some programs; if it is hexadecimal, write 0x0010",
		"0":          "is no major",
		"a":          "has hexadecimal digits without 0x in front; write 0xa",
		"0x0":        `"0x0" is out of range; allowed: 0x0001 to 0xfffe, the others are tc's own`,
		"0:":         "is out of range",
		"0xffff":     "is out of range",
		"ffff:":      "is out of range",
		"0x00100000": "has more than the 16 bits, or four digits, of a major; it is the upper half of the class IDs",
		"10000:":     "has more than the 16 bits",
		"10:1":       "is no number; write four",
		"0x":         "is no major",
		"-1":         "has a sign",
		"0x10:":      "is no major",
		":":          "is no major",
		"1.5":        "is no whole number",
	} {
		if major, err := ParseMajor(text); err == nil || major != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %#x, %v; want %s", text, major, err, want)
		}
	}
}

func TestIDsOfNoTask(t *testing.T) {
	for id, want := range map[ID]string{
		0:          "no class at all",
		0xffffffff: "TC_H_ROOT",
		0xffff0000: "of the major 0xffff",
		0xffff0100: "of the major 0xffff",
		0x00000100: "of the major 0",
		0x00100000: "the qdisc 10: itself",
		0x0010ffff: "of the minor 0xffff",
		0x00100001: "",
		0xfffefffe: "",
	} {
		if got := id.Special(); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

func TestIDsAreWrittenAsTheyAreRead(t *testing.T) {
	for _, id := range []ID{0, 1, 0x00100001, 0x0010abcd, 0xfffefffe, 0xffffffff} {
		for _, text := range []string{id.String(), id.TC()} {
			if again, err := ParseID(text); err != nil || again != id {
				t.Errorf("%s: %v, %v", text, again, err)
			}
		}
	}
	if got := ID(0x00100001); got.String() != "0x00100001" || got.TC() != "10:1" || MajorString(got.Major()) != "0x0010" || TCMajor(got.Major()) != "10:" {
		t.Errorf("%s, %s", got, got.TC())
	}
}
