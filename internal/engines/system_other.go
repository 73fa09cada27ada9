//go:build !linux

package engines

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

// owner is who a server runs as.
type owner struct{ uid, gid int }

// supported reports whether servers can be run on this system.
func supported() error {
	return fmt.Errorf("%w: they are run on Linux alone, not on %s", ErrMissing, runtime.GOOS)
}

func serverOwner() (*owner, error)           { return nil, supported() }
func attributes(*owner) *syscall.SysProcAttr { return nil }
func adoptOrphans()                          {}
func freeze(int) ([]int, error)              { return nil, errors.ErrUnsupported }
func thaw(int) error                         { return errors.ErrUnsupported }
func slay([]int) error                       { return errors.ErrUnsupported }
func reap([]int)                             {}
func guard([]int) (func() error, error)      { return nil, errors.ErrUnsupported }
func workingIn(string) ([]int, error)        { return nil, errors.ErrUnsupported }
func runs(int) bool                          { return false }
func removeSegment(string) error             { return errors.ErrUnsupported }
