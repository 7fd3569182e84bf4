package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestFrameReader(t *testing.T) {
	const limit = 10
	for name, test := range map[string]struct {
		stream string
		want   []string
		large  []int64 // announced sizes of the records that were cut
		err    error
	}{
		"empty stream":             {"", nil, nil, io.EOF},
		"records":                  {"3\nabc2\nde", []string{"abc", "de"}, nil, io.EOF},
		"newlines inside":          {"3\n\n\n\n1\nx", []string{"\n\n\n", "x"}, nil, io.EOF},
		"empty record":             {"0\n1\nx", []string{"", "x"}, nil, io.EOF},
		"at the limit":             {"10\n0123456789", []string{"0123456789"}, nil, io.EOF},
		"above the limit":          {"12\n0123456789ab1\nx", []string{"0123456789", "x"}, []int64{12}, io.EOF},
		"cut in a length":          {"1", nil, nil, io.ErrUnexpectedEOF},
		"cut after a length":       {"3\n", nil, nil, io.ErrUnexpectedEOF},
		"cut in a record":          {"3\nab", nil, nil, io.ErrUnexpectedEOF},
		"cut in an oversized one":  {"12\n0123456789a", []string{"0123456789"}, []int64{12}, io.ErrUnexpectedEOF},
		"no length":                {"\nabc", nil, nil, errFraming},
		"negative length":          {"-1\nabc", nil, nil, errFraming},
		"hexadecimal length":       {"0x3\nabc", nil, nil, errFraming},
		"length beyond protobuf's": {"2147483648\n", nil, nil, errFraming},
		"endless length":           {strings.Repeat("1", 100), nil, nil, errFraming},
		"an HTML page":             {"<html>", nil, nil, errFraming},
	} {
		t.Run(name, func(t *testing.T) {
			for _, source := range []io.Reader{
				strings.NewReader(test.stream),
				iotest.OneByteReader(strings.NewReader(test.stream)),
			} {
				r := newFrameReader(source, limit)
				var got []string
				var large []int64
				for {
					f, err := r.next()
					if err != nil {
						if !errors.Is(err, test.err) {
							t.Errorf("error %v, want %v", err, test.err)
						}
						break
					}
					got = append(got, string(f.data))
					if f.tooLarge() {
						large = append(large, f.size)
					}
				}
				if fmt.Sprint(got, large) != fmt.Sprint(test.want, test.large) {
					t.Errorf("records %q, cut %v, want %q, %v", got, large, test.want, test.large)
				}
			}
		})
	}
}

func TestFrameReaderAllocatesByWhatArrives(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := newFrameReader(strings.NewReader("67108864\nshort"), MaxFrame)
	if _, err := r.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes allocated for a record of which 5 arrived", used)
	}
}

func FuzzFrameReader(f *testing.F) {
	for _, seed := range []string{"", "0\n", "3\nabc", "3\nabc10\n0123456789", "40\n" + strings.Repeat("x", 40) + "1\nx", "-1\n", "99999999999\n", "3\nab"} {
		f.Add([]byte(seed))
	}
	const limit = 32
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := newFrameReader(bytes.NewReader(stream), limit)
		var again []byte // what was read, written back
		cut := false
		for {
			record, err := r.next()
			if err != nil {
				break
			}
			cut = cut || record.tooLarge()
			if int64(len(record.data)) != min(record.size, limit) {
				t.Fatalf("%d bytes of a record of %d", len(record.data), record.size)
			}
			again = fmt.Appendf(again, "%d\n%s", record.size, record.data)
		}
		if !cut && len(again) > len(stream) {
			t.Fatalf("%d bytes read from %d", len(again), len(stream))
		}
	})
}
