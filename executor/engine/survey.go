package engine

import "slices"

// survey finds the place of a stream in a container's log, while the log passes by once. The log is the stream as the daemon has
// recorded it: without its beginning if it was rotated, and without the pieces that the daemon had read but not recorded when
// it died. What it records in one piece is whole or missing.
type survey struct {
	want  []byte // the last bytes that were delivered
	count int64  // of bytes that were delivered, from the container's start on

	size int64 // of the log so far

	// By the count: how far the log agrees with want, for as long as it does.
	agrees, agreesWhole int64 // its last byte, and its last whole piece
	differs             bool

	// By the content (Knuth, Morris, Pratt): the longest beginning of want with which the log ended at some piece.
	links   []int
	matched int
	best    int
	bestAt  int64

	head   []byte // of the log, as long as want at most
	pieces []int  // where its whole pieces end
}

func newSurvey(p *place) *survey {
	s := &survey{want: p.end(), count: p.count}
	s.agrees = s.count - int64(len(s.want))
	s.agreesWhole = s.agrees
	s.links = make([]int, len(s.want)+1)
	for i, k := 1, 0; i < len(s.want); i++ {
		for k > 0 && s.want[i] != s.want[k] {
			k = s.links[k]
		}
		if s.want[i] == s.want[k] {
			k++
		}
		s.links[i+1] = k
	}
	return s
}

// add takes the next bytes of the log; whole says that a piece ends with them.
func (s *survey) add(chunk []byte, whole bool) {
	s.head = append(s.head, chunk[:min(len(chunk), len(s.want)-len(s.head))]...)
	for _, b := range chunk {
		if at := s.size - (s.count - int64(len(s.want))); at >= 0 && at < int64(len(s.want)) && !s.differs {
			if b == s.want[at] {
				s.agrees++
			} else {
				s.differs = true
			}
		}
		s.size++
		s.match(b)
	}
	if whole {
		if !s.differs && s.agrees == s.size {
			s.agreesWhole = s.size
		}
		s.note()
		if s.size <= int64(len(s.want)) {
			s.pieces = append(s.pieces, int(s.size))
		}
	}
}

func (s *survey) match(b byte) {
	if len(s.want) == 0 {
		return
	}
	if s.matched == len(s.want) {
		s.matched = s.links[s.matched]
	}
	for s.matched > 0 && s.want[s.matched] != b {
		s.matched = s.links[s.matched]
	}
	if s.want[s.matched] == b {
		s.matched++
	}
	if s.matched == len(s.want) {
		s.note()
	}
}

func (s *survey) note() {
	if s.matched > 0 && s.matched >= s.best {
		s.best, s.bestAt = s.matched, s.size
	}
}

// shortestMatch is how many bytes of content have to agree where the count doesn't help. Fewer may be chance.
const shortestMatch = 64

// finding says how well the place is known.
type finding int

const (
	placeFound finding = iota
	allNew             // nothing of what was delivered is in the log, which may begin later than that ended
	noPlace            // nothing of the end of what was delivered is in the log, but perhaps earlier bytes
)

// found returns what the log repeats before everything is new, nil for nothing.
func (s *survey) found() (repeats *known, how finding) {
	start := s.count - int64(len(s.want)) // of what is known by its content
	cut, enough := s.cutHead()
	switch {
	case s.agrees == s.count: // nothing is missing, or nothing was delivered
		return newKnown(s.count, s.want), placeFound
	case s.best == len(s.want) && s.best >= shortestMatch: // the log was rotated
		return newKnown(s.bestAt, s.want), placeFound
	case s.agreesWhole > start: // the daemon has not recorded the last pieces that it had passed on
		return newKnown(s.agreesWhole, s.want[:s.agreesWhole-start]), placeFound
	case enough: // the log was rotated, and begins inside of what was delivered
		return newKnown(int64(cut), s.head[:cut]), placeFound
	case s.best >= shortestMatch: // the log was rotated, and lacks the last pieces
		return newKnown(s.bestAt, s.want[:s.best]), placeFound
	case start == 0: // all that was delivered is known
		return nil, allNew
	}
	return nil, noPlace
}

// cutHead looks for the log's beginning inside of want: how many of its first bytes are known, and whether they are enough
// to say so. Whole pieces up to the very end of want are, however short.
func (s *survey) cutHead() (known int, enough bool) {
	for x := range s.want {
		n := 0
		for n < len(s.head) && x+n < len(s.want) && s.head[n] == s.want[x+n] {
			n++
		}
		if x+n == len(s.want) && n > 0 && s.wholePieces(n) == n {
			return n, true
		}
		if x+n < len(s.want) && int64(n) < s.size { // what differs belongs to a new piece
			n = s.wholePieces(n)
		}
		known = max(known, n)
	}
	return known, known >= shortestMatch || known > 0 && int64(known) == s.size
}

// wholePieces is how many of the first n bytes of the log are whole pieces.
func (s *survey) wholePieces(n int) int {
	at, exact := slices.BinarySearch(s.pieces, n)
	switch {
	case exact:
		return n
	case at == 0:
		return 0
	}
	return s.pieces[at-1]
}
