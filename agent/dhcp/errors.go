package dhcp

import (
	"errors"
	"fmt"
)

// What a run can end with, besides ErrChanged and ErrReload. Where several hold, the first of this list is the one to
// act on.
var (
	// ErrRevertFailed: the wire disagreed and the settings could not be put back. *RevertFailedError has how to do it by
	// hand.
	ErrRevertFailed = errors.New("putting the old settings back failed")
	// ErrReverted: the wire disagreed, or the run was interrupted, and the settings are again what they were.
	ErrReverted = errors.New("the old settings were put back")
	// ErrNotKept: the server was to be told to keep the settings, and was not. It puts the old ones back by itself.
	ErrNotKept = errors.New("the server was not told to keep the settings, and puts the old ones back by itself")
	// ErrForeign: our server is right, and another one tells machines something else. The settings were kept.
	ErrForeign = errors.New("another DHCP server misleads machines")
	// ErrNotProven: the settings are as wanted, and the wire did not confirm it. They were kept.
	ErrNotProven = errors.New("not proven on the wire")
	// ErrRefused: a problem of the plan forbids it; *RefusedError says which. Nothing was written.
	ErrRefused = errors.New("the plan is refused")
	// ErrNotServing: nothing serves at the next-server. Nothing was written.
	ErrNotServing = errors.New("nothing serves at next-server")
	// ErrLocked: another pxeagent is at work on this network; *LockedError says which.
	ErrLocked = errors.New("another pxeagent holds the lock")
	// ErrNoJournal: pxeagent wrote nothing here that could be reverted.
	ErrNoJournal = errors.New("the journal has nothing to revert")
)

// RefusedError is the problem for which a plan is not carried out.
type RefusedError struct{ Problem Problem }

func (e *RefusedError) Error() string        { return fmt.Sprintf("%v: %s", ErrRefused, e.Problem.Text) }
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }

// LockedError says who holds the lock.
type LockedError struct {
	Path string // the lock file
	PID  int    // 0 where it is not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%v %s", ErrLocked, e.Path)
	}
	return fmt.Sprintf("%v %s: process %d", ErrLocked, e.Path, e.PID)
}
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// ErrLaterJournal: a later pxeagent wrote the journal.
var ErrLaterJournal = errors.New("a later pxeagent wrote it")

// JournalError is a journal that cannot be understood, ErrLaterJournal or damaged. It is never overwritten.
type JournalError struct {
	Path string
	Err  error
}

func (e *JournalError) Error() string {
	return fmt.Sprintf("reading the journal %s: %v", e.Path, e.Err)
}
func (e *JournalError) Unwrap() error { return e.Err }

// RevertFailedError has what a person needs to put the settings back by hand.
type RevertFailedError struct {
	Err     error  // why putting back failed
	Cause   error  // why it was tried
	Server  string // whose settings
	Journal string // the file that has them
	Before  State  // what to put back
}

// Error says first that putting back failed, then what to do, then why it was tried.
func (e *RevertFailedError) Error() string {
	return fmt.Sprintf("%v: %v; %s; it was tried because: %v", ErrRevertFailed, e.Err, e.Manual(), e.Cause)
}

// Manual is how to put the settings back by hand.
func (e *RevertFailedError) Manual() string {
	if e.Before.Raw == nil {
		return fmt.Sprintf("by hand: remove the network boot settings that pxeagent wrote at %s, then have it load its "+
			"settings", e.Server)
	}
	return fmt.Sprintf("by hand: %s has the settings as they were, under \"before\"; put them back at %s, then have it "+
		"load them", e.Journal, e.Server)
}

// Is makes it ErrRevertFailed only: that it was ErrChanged or the like comes second.
func (e *RevertFailedError) Is(target error) bool { return target == ErrRevertFailed }

// Unwrap is why putting back failed.
func (e *RevertFailedError) Unwrap() error { return e.Err }

// putBackError is ErrReverted with what differed.
type putBackError struct {
	cause error
	after string // what the wire said after it, where that was not as before
}

func (e *putBackError) Error() string        { return fmt.Sprintf("%v; %v%s", e.cause, ErrReverted, e.after) }
func (e *putBackError) Is(target error) bool { return target == ErrReverted }
func (e *putBackError) Unwrap() error        { return e.cause }
