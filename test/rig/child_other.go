//go:build unix && !linux

package main

import "syscall"

// childAttributes keep an interrupt at the terminal for the rig, which ends its children itself.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
