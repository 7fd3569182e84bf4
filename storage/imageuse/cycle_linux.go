package imageuse

import "time"

// SetUnanswered writes down that the engine did not finish a removal in time.
func (f *Folder) SetUnanswered() error { return f.touch(unanswered) }

// Unanswered is when that was last, the zero time if it never was.
func (f *Folder) Unanswered() time.Time {
	at, err := f.modified(unanswered)
	if err != nil {
		return time.Time{}
	}
	return at
}

// SetBegun writes down whether a clean-up has begun that the next one is to go on with. Only the owner of [Folder.Lock] may.
func (f *Folder) SetBegun(yes bool) error {
	if yes {
		return f.touch(begun)
	}
	return f.remove(begun)
}

// Begun reports whether one has.
func (f *Folder) Begun() bool {
	_, err := f.modified(begun)
	return err == nil
}
