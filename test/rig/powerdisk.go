package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	outerBytes = 12 << 30 // sparse
	innerBytes = 3 << 30  // sparse
	// diskTimeout bounds one command. Unmounting waits for what is written yet.
	diskTimeout = time.Minute
)

// errNoDisks says why the power cannot be cut on this machine.
var errNoDisks = errors.New("loop mounts are not possible here")

// disk is a file system in a file that can be copied at one instant: the copy is what a disk
// has when the power fails. What was written and not synchronized is not in it.
type disk struct {
	folder string   // with the outer image and the mount points
	inner  string   // mount point of the disk itself
	mounts []string // in their order
}

// newDisk makes a disk beneath folder. Close it also after an error.
func newDisk(ctx context.Context, folder string) (*disk, error) {
	d := &disk{folder: folder, inner: filepath.Join(folder, "inner")}
	if err := canMount(); err != nil {
		return d, err
	}
	outer := filepath.Join(folder, "outer")
	for _, path := range []string{outer, d.inner, d.snapPoint()} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return d, err
		}
	}
	image := filepath.Join(folder, "outer.img")
	if err := makeImage(ctx, image, outerBytes, "mkfs.xfs", "-q", "-m", "reflink=1", image); err != nil {
		return d, err
	}
	if err := d.mount(ctx, image, outer); err != nil {
		return d, fmt.Errorf("%w: %w", errNoDisks, err)
	}
	if err := makeImage(ctx, d.image(), innerBytes, "mkfs.ext4", "-q", "-F", d.image()); err != nil {
		return d, err
	}
	return d, d.mount(ctx, d.image(), d.inner)
}

// canMount tells whether it is worth trying.
func canMount() error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return fmt.Errorf("%w: that takes Linux and root", errNoDisks)
	}
	for _, program := range []string{"mount", "umount", "cp", "mkfs.xfs", "mkfs.ext4"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: %w", errNoDisks, err)
		}
	}
	return nil
}

func makeImage(ctx context.Context, path string, size int64, format ...string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
		return err
	}
	return command(ctx, format...)
}

func (d *disk) image() string     { return filepath.Join(d.folder, "outer", "inner.img") }
func (d *disk) cutImage() string  { return filepath.Join(d.folder, "outer", "cut.img") }
func (d *disk) snapPoint() string { return filepath.Join(d.folder, "snap") }

// cut copies what has reached the disk at this instant.
func (d *disk) cut(ctx context.Context) error {
	return command(ctx, "cp", "--reflink=always", d.image(), d.cutImage())
}

// plugIn mounts the copy as after the return of the power, and returns where.
func (d *disk) plugIn(ctx context.Context) (string, error) {
	return d.snapPoint(), d.mount(ctx, d.cutImage(), d.snapPoint())
}

// throwAway unmounts and removes the copy, whatever has become of ctx.
func (d *disk) throwAway(ctx context.Context) error {
	err := d.unmount(ctx, d.snapPoint())
	if removed := os.Remove(d.cutImage()); !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

func (d *disk) mount(ctx context.Context, image, point string) error {
	if err := command(ctx, "mount", "-o", "loop", image, point); err != nil {
		return err
	}
	d.mounts = append(d.mounts, point)
	return nil
}

// unmount undoes a mount if there is one, whatever has become of ctx.
func (d *disk) unmount(ctx context.Context, point string) error {
	for i, mounted := range d.mounts {
		if mounted != point {
			continue
		}
		if err := command(context.WithoutCancel(ctx), "umount", point); err != nil {
			return err
		}
		d.mounts = append(d.mounts[:i], d.mounts[i+1:]...)
		return nil
	}
	return nil
}

// close unmounts everything, the last mount first, whatever has become of ctx.
func (d *disk) close(ctx context.Context) error {
	var errs []error
	for len(d.mounts) > 0 {
		last := d.mounts[len(d.mounts)-1]
		if err := d.unmount(ctx, last); err != nil {
			// Nothing beneath can be unmounted either; it goes when its last user does.
			errs = append(errs, err, command(context.WithoutCancel(ctx), "umount", "--lazy", last))
			d.mounts = d.mounts[:len(d.mounts)-1]
		}
	}
	return errors.Join(errs...)
}

// command runs a program of the system to its end.
func command(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, diskTimeout)
	defer cancel()
	output, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput() //nolint:gosec // the arguments are ours
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
