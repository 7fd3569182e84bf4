//go:build !linux

package admission

import "errors"

var errLinux = errors.New("executors share files on Linux only")

// nothingShared is the store where there is none.
type nothingShared struct{}

func newShared(string, string, func() float64) nothingShared { return nothingShared{} }

func (nothingShared) read() (State, error)                    { return State{}, errLinux }
func (nothingShared) change(func(State) State) (State, error) { return State{}, errLinux }
func (nothingShared) turn(uint32) (func(), error)             { return nil, errLinux }
func (nothingShared) kept() ([]byte, error)                   { return nil, errLinux }
func (nothingShared) keep(func([]byte) []byte) error          { return errLinux }

func openSlots(string, string, int, func() float64) (slots, error) { return nil, errLinux }
